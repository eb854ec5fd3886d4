curl {{base_url}}/key \
  -H "Authorization: Bearer $OPENROUTER_API_KEY"
