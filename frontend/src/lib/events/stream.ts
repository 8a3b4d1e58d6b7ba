/** One event of a job, numbered 1, 2, 3, ... within it. */
export interface JobEvent {
  seq: number;
  /** Seconds since 1970. */
  created_at: number;
  name: string;
  data: Record<string, unknown>;
}

/** How the stream stands: `lost` until it is back, `ended` once the job has. */
export type StreamState = "connecting" | "live" | "lost" | "ended";

/** What a connection tells. */
export interface Handlers {
  onOpen: () => void;
  onMessage: (data: unknown) => void;
  onClose: (code: number) => void;
}

export interface StreamOptions {
  /** Opens a connection that sends the events behind number `after`; returns what closes it. */
  open: (after: number, handlers: Handlers) => () => void;
  /** Hears each event once, in order. */
  onEvent: (event: JobEvent) => void;
  onState: (state: StreamState) => void;
  /** The number of the last event that is known already. */
  after?: number;
  setTimer?: (run: () => void, milliseconds: number) => unknown;
  clearTimer?: (timer: unknown) => void;
}

const NORMAL = 1000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

/**
 * A job's events over a WebSocket, taken up behind the last known number whenever the connection is lost.
 *
 * The server sends what lies behind `after`; an event that comes twice is passed over, and one that would leave a gap
 * makes the stream begin again where it stands. So each event is heard once, in order, however often the line breaks.
 * It never gives up: a server that is restarted an hour later is found again.
 */
export class EventStream {
  private hangUp: (() => void) | null = null;
  private timer: unknown = null;
  private last: number;
  private pause = FIRST_PAUSE;
  private isClosed = false;

  constructor(private readonly options: StreamOptions) {
    this.last = options.after ?? 0;
  }

  /** Connect. */
  start(): void {
    this.options.onState("connecting");
    this.connect();
  }

  /** Leave for good. */
  close(): void {
    this.isClosed = true;
    this.drop();
    this.stopTimer();
  }

  /** Connect at once if the stream is waiting: the browser is online again, or somebody pressed the button. */
  retryNow(): void {
    if (this.isClosed || this.timer === null) return;
    this.stopTimer();
    this.connect();
  }

  private connect(): void {
    let isDropped = false;
    const ifCurrent =
      <A extends unknown[]>(hear: (...args: A) => void) =>
      (...args: A) => {
        if (!isDropped) hear(...args);
      };
    const close = this.options.open(this.last, {
      onOpen: ifCurrent(() => {
        this.pause = FIRST_PAUSE;
        this.options.onState("live");
      }),
      onMessage: ifCurrent((data) => this.take(data)),
      onClose: ifCurrent((code) => this.left(code)),
    });
    this.hangUp = () => {
      isDropped = true;
      close();
    };
  }

  private take(data: unknown): void {
    const event = parseEvent(data);
    if (!event || event.seq <= this.last) return;
    if (event.seq !== this.last + 1) {
      this.drop();
      this.connect(); // something is missing: ask for it
      return;
    }
    this.last = event.seq;
    this.options.onEvent(event);
  }

  private left(code: number): void {
    this.hangUp = null;
    if (code === NORMAL) {
      this.isClosed = true;
      this.options.onState("ended");
      return;
    }
    this.options.onState("lost");
    const wait = this.options.setTimer ?? ((run, milliseconds) => setTimeout(run, milliseconds));
    this.timer = wait(() => {
      this.timer = null;
      this.connect();
    }, this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  private drop(): void {
    this.hangUp?.();
    this.hangUp = null;
  }

  private stopTimer(): void {
    if (this.timer === null) return;
    (this.options.clearTimer ?? ((timer) => clearTimeout(timer as number)))(this.timer);
    this.timer = null;
  }
}

function parseEvent(data: unknown): JobEvent | null {
  if (typeof data !== "string") return null;
  try {
    const event: unknown = JSON.parse(data);
    return typeof event === "object" && event !== null && "seq" in event && typeof event.seq === "number"
      ? (event as JobEvent)
      : null;
  } catch {
    return null;
  }
}
