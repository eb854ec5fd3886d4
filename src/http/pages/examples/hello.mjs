const url = "{{base_url}}/chat/completions";
const response = await fetch(url, {
  method: "POST",
  headers: {
    Authorization: `Bearer ${process.env.OPENROUTER_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "{{model}}",
    messages: [{ role: "user", content: "Say hello." }],
  }),
});
const { choices, error } = await response.json();
console.log(error ? error.message : choices[0].message.content);
