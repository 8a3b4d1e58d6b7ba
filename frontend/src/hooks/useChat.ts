"use client";

import { useEffect, useRef, useState } from "react";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { questionOf, upToLastQuestion, type Sampling, type Turn } from "@/lib/chat/conversation";
import { streamAnswer } from "@/lib/chat/streaming";

export interface Chat {
  turns: Turn[];
  isAnswering: boolean;
  problem: ApiProblem | null;
  ask: (text: string) => void;
  /** Ask the last question again. */
  retry: () => void;
  /** Keep what has come of the answer, and no more. */
  stop: () => void;
  clear: () => void;
}

/** A chat with one model; each question is sent with the settings as they stand then. */
export function useChat(model: string, system: string, sampling: Sampling): Chat {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [isAnswering, setAnswering] = useState(false);
  const asking = useRef<AbortController | null>(null);
  useEffect(() => () => asking.current?.abort(), []);

  const answer = async (asked: Turn[]) => {
    asking.current?.abort();
    const stop = new AbortController();
    asking.current = stop;
    const began = performance.now();
    let last: Turn = { role: "assistant", content: "", finishReason: null };
    const show = (change: Partial<Turn>) => {
      last = { ...last, ...change };
      if (asking.current === stop) setTurns([...asked, last]);
    };
    setProblem(null);
    setAnswering(true);
    show({});
    try {
      for await (const piece of streamAnswer(questionOf(model, system, asked, sampling), stop.signal)) {
        show({
          content: last.content + piece.text,
          finishReason: piece.finishReason ?? last.finishReason,
          numTokens: piece.numTokens ?? last.numTokens,
          seconds: (performance.now() - began) / 1000,
        });
      }
    } catch (error) {
      if (stop.signal.aborted) show({ finishReason: "stopped" });
      else if (asking.current === stop) {
        show({ finishReason: "broken" });
        setProblem(asProblem(error));
      }
    } finally {
      if (asking.current === stop) {
        asking.current = null;
        setAnswering(false);
      }
    }
  };

  return {
    turns,
    isAnswering,
    problem,
    ask: (text) => void answer([...turns.filter((turn) => turn.role === "user" || turn.content), { role: "user", content: text }]),
    retry: () => void answer(upToLastQuestion(turns)),
    stop: () => asking.current?.abort(),
    clear: () => {
      const stopped = asking.current;
      asking.current = null;
      stopped?.abort();
      setAnswering(false);
      setProblem(null);
      setTurns([]);
    },
  };
}
