/** What is asked of a model, as `POST /v1/chat/completions` takes it. */
export interface Question {
  model: string;
  messages: { role: string; content: string }[];
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  random_seed?: number;
}

/** The question as a curl command; the key stays in the environment. */
export function asCurl(origin: string, question: Question): string {
  return [
    `curl ${quoteShell(`${origin}/v1/chat/completions`)}`,
    `  -H "Authorization: Bearer $MISTRALTUNE_SERVER_KEY"`,
    `  -H 'Content-Type: application/json'`,
    `  -d ${quoteShell(JSON.stringify(question, null, 2))}`,
  ].join(" \\\n");
}

/** The question in Python, by Mistral's client; the key stays in the environment. */
export function asPython(origin: string, question: Question): string {
  const { model, messages, ...rest } = question;
  return [
    "import os",
    "",
    "from mistralai.client import Mistral",
    "",
    `client = Mistral(api_key=os.environ["MISTRALTUNE_SERVER_KEY"], server_url=${quotePython(origin)})`,
    "answer = client.chat.complete(",
    `    model=${quotePython(model)},`,
    "    messages=[",
    ...messages.map(({ role, content }) => `        {"role": ${quotePython(role)}, "content": ${quotePython(content)}},`),
    "    ],",
    ...Object.entries(rest).map(([name, value]) => `    ${name}=${value},`),
    ")",
    "print(answer.choices[0].message.content)",
  ].join("\n");
}

/** In single quotes, as every POSIX shell reads it back. */
export function quoteShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** As a Python string literal; JSON's escapes mean the same there, half surrogates apart, which no text field holds. */
export function quotePython(text: string): string {
  return JSON.stringify(text).replace(/\u007f/g, "\\x7f");
}
