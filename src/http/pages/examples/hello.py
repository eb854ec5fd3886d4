import os
from openai import OpenAI

client = OpenAI(
    base_url="{{base_url}}",
    api_key=os.environ["OPENROUTER_API_KEY"],
)
answer = client.chat.completions.create(
    model="{{model}}",
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.choices[0].message.content)
