"use client";

import { MessageSquare, RotateCcw, Square } from "lucide-react";
import { useEffect, useRef } from "react";
import { Button } from "@/components/ui/Button";
import { CopyButton } from "@/components/ui/CopyButton";
import { Empty } from "@/components/ui/Empty";
import { Problem } from "@/components/ui/Notice";
import type { Chat } from "@/hooks/useChat";
import type { Model } from "@/lib/api/types";
import { questionOf, upToLastQuestion, type Sampling } from "@/lib/chat/conversation";
import { asCurl, asPython } from "@/lib/chat/snippets";
import { ChatTurns } from "./ChatTurns";
import { ModelSelect } from "./ModelSelect";

/** One model and what was said to it. */
export function ChatPane({ chat, model, models, onModel, system, sampling, label }: {
  chat: Chat;
  model: string;
  models: Model[];
  onModel: (model: string) => void;
  system: string;
  sampling: Sampling;
  label: string;
}) {
  const scroll = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (scroll.current && isAtEnd.current) scroll.current.scrollTop = scroll.current.scrollHeight;
  }, [chat.turns]);
  const question = () => questionOf(model, system, upToLastQuestion(chat.turns), sampling);
  const hasAsked = chat.turns.length > 0;
  return (
    <section aria-label={label} className="flex min-h-[46vh] min-w-0 flex-1 flex-col rounded-lg border bg-surface">
      <div className="border-b p-2.5">
        <ModelSelect models={models} value={model} onChange={onModel} label={label} />
      </div>
      <div
        ref={scroll}
        tabIndex={0}
        role="log"
        aria-label={`${label}, answers`}
        className="max-h-[58vh] min-h-0 flex-1 overflow-y-auto focus-visible:-outline-offset-2"
        onScroll={({ currentTarget }) => {
          isAtEnd.current = currentTarget.scrollHeight - currentTarget.scrollTop - currentTarget.clientHeight < 40;
        }}
      >
        {hasAsked ? <ChatTurns turns={chat.turns} model={model} /> : <Empty icon={MessageSquare} title="Nothing asked yet" />}
      </div>
      {chat.problem ? <Problem problem={chat.problem} retry={chat.retry} className="mx-2.5 mb-2.5" /> : null}
      {hasAsked ? (
        <div className="flex flex-wrap gap-1 border-t px-2 py-1.5">
          {chat.isAnswering ? (
            <Button look="quiet" size="small" onClick={chat.stop}>
              <Square aria-hidden />
              Stop
            </Button>
          ) : (
            <Button look="quiet" size="small" onClick={chat.retry}>
              <RotateCcw aria-hidden />
              Retry
            </Button>
          )}
          <CopyButton label="curl" text={() => asCurl(location.origin, question())} />
          <CopyButton label="Python" text={() => asPython(location.origin, question())} />
        </div>
      ) : null}
    </section>
  );
}
