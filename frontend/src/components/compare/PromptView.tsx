/** The messages that a model saw; the last one matters most, earlier ones fold away. */
export function PromptView({ messages }: { messages: { [key: string]: unknown }[] }) {
  const last = messages[messages.length - 1];
  const earlier = messages.slice(0, -1);
  return (
    <div className="min-w-0">
      {earlier.length > 0 ? (
        <details className="mb-1 text-[0.8125rem]">
          <summary className="w-fit cursor-pointer rounded text-ink-soft">{earlier.length} earlier {earlier.length === 1 ? "message" : "messages"}</summary>
          {earlier.map((message, index) => (
            <Message key={index} message={message} />
          ))}
        </details>
      ) : null}
      {last ? <Message message={last} /> : null}
    </div>
  );
}

function Message({ message }: { message: { [key: string]: unknown } }) {
  const { role, content } = message;
  return (
    <p className="whitespace-pre-wrap break-words">
      <span className="mr-1.5 text-xs text-ink-soft">{String(role)}</span>
      {typeof content === "string" ? content : JSON.stringify(content)}
    </p>
  );
}
