"use client";

import { Columns2, Eraser, SendHorizontal, SlidersHorizontal, Square } from "lucide-react";
import { useSearchParams } from "next/navigation";
import { useEffect, useState } from "react";
import { Button } from "@/components/ui/Button";
import { Field, TextArea } from "@/components/ui/Field";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { SchemaFields } from "@/components/ui/SchemaFields";
import { useChat } from "@/hooks/useChat";
import { useResource } from "@/hooks/useResource";
import { useSchema } from "@/hooks/useSchema";
import { call } from "@/lib/api/client";
import type { Sampling } from "@/lib/chat/conversation";
import { fieldsOf, problemsOf, valuesOf } from "@/lib/forms/schema";
import { ChatPane } from "./ChatPane";

const SAMPLING = ["temperature", "top_p", "max_tokens", "random_seed"];

/** Asks a model, or two the same. */
export function Playground() {
  const query = useSearchParams();
  const models = useResource("models", (signal) => call("get", "/v1/models", { signal }));
  const schema = useSchema("ChatRequest");
  const [left, setLeft] = useState(query.get("model") ?? "");
  const [right, setRight] = useState(query.get("beside") ?? "");
  const [isDouble, setDouble] = useState(query.has("beside"));
  const [areSettingsOpen, setSettingsOpen] = useState(false);
  const [system, setSystem] = useState("");
  const [entries, setEntries] = useState<Record<string, string>>({});
  const [text, setText] = useState("");
  const newest = models.data?.data.find((model) => model.type === "fine-tuned" && !model.archived)?.id;
  useEffect(() => setLeft((chosen) => chosen || newest || ""), [newest]);
  const fields = fieldsOf(schema.data ?? {}).filter((field) => SAMPLING.includes(field.name));
  const isSound = Object.keys(problemsOf(fields, entries)).length === 0;
  const sampling = isSound ? (valuesOf(fields, entries) as Sampling) : {};
  const chats = [useChat(left, system, sampling), useChat(right, system, sampling)] as const;
  const shown = isDouble ? chats : chats.slice(0, 1);
  const isAnswering = shown.some((chat) => chat.isAnswering);
  const canAsk = text.trim() !== "" && isSound && !isAnswering && left !== "" && (!isDouble || right !== "");

  const ask = () => {
    if (!canAsk) return;
    shown.forEach((chat) => chat.ask(text));
    setText("");
  };

  if (!models.data) return models.problem ? <Problem problem={models.problem} retry={models.reload} /> : <Loading label="Loading models" />;
  return (
    <>
      <PageHead
        title="Playground"
        actions={
          <>
            <Button look="quiet" disabled={shown.every((chat) => chat.turns.length === 0)} onClick={() => chats.forEach((chat) => chat.clear())}>
              <Eraser aria-hidden />
              Clear
            </Button>
            <Button aria-pressed={isDouble} className={isDouble ? "bg-sunken" : ""} onClick={() => setDouble(!isDouble)}>
              <Columns2 aria-hidden />
              Side by side
            </Button>
            <Button aria-expanded={areSettingsOpen} className={areSettingsOpen ? "bg-sunken" : ""} onClick={() => setSettingsOpen(!areSettingsOpen)}>
              <SlidersHorizontal aria-hidden />
              Settings
            </Button>
          </>
        }
      />
      <div className="grid gap-4">
        {areSettingsOpen ? (
          <Panel>
            <div className="grid gap-4 p-4">
              <Field label="System prompt" help="Said to the model before the chat; empty sends none.">
                {(tie) => <TextArea {...tie} rows={2} value={system} onChange={(event) => setSystem(event.target.value)} />}
              </Field>
              <SchemaFields fields={fields} entries={entries} onChange={setEntries} />
            </div>
          </Panel>
        ) : null}
        <div className="flex flex-col gap-4 md:flex-row">
          <ChatPane chat={chats[0]} model={left} models={models.data.data} onModel={setLeft} system={system} sampling={sampling} label={isDouble ? "Left model" : "Model"} />
          {isDouble ? (
            <ChatPane chat={chats[1]} model={right} models={models.data.data} onModel={setRight} system={system} sampling={sampling} label="Right model" />
          ) : null}
        </div>
        <form
          className="flex items-end gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            ask();
          }}
        >
          <TextArea
            aria-label="Message"
            placeholder={left ? "Write a message; Enter sends it, Shift+Enter breaks the line" : "Choose a model first"}
            rows={2}
            className="field-sizing-content max-h-60 min-h-16"
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
              event.preventDefault();
              ask();
            }}
          />
          {isAnswering ? (
            <Button className="h-16" onClick={() => shown.forEach((chat) => chat.stop())}>
              <Square aria-hidden />
              Stop
            </Button>
          ) : (
            <Button type="submit" look="primary" className="h-16" disabled={!canAsk}>
              <SendHorizontal aria-hidden />
              Send
            </Button>
          )}
        </form>
      </div>
    </>
  );
}
