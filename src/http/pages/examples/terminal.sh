keycap={{origin}}
field() { printf %s "$answer" | sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p'; }
answer=$(curl -s "$keycap/api/v1/device/code" -d client_id=shell --data-urlencode "device_name=$(hostname)")
code=$(field device_code)
echo "Open $(field verification_uri) and type $(field user_code)"
pause=5
while [ -n "$code" ]; do
  sleep "$pause"
  answer=$(printf 'grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=shell&device_code=%s' "$code" |
    curl -s "$keycap/api/v1/device/token" -d @-)
  OPENROUTER_API_KEY=$(field access_token)
  [ -n "$OPENROUTER_API_KEY" ] && break
  case $(field error) in
    slow_down) pause=$((pause + 5)) ;;
    authorization_pending | temporarily_unavailable | "") ;;
    *) echo "$(field error_description)"; break ;;
  esac
done
export OPENROUTER_API_KEY
curl {{base_url}}/key -H "Authorization: Bearer $OPENROUTER_API_KEY"
