// The form of server-sent events: bytes in, events out.

export interface ServerEvent {
  name: string;
  data: string;
  id: string | null;
}

/** The events of a body, by the rules of HTML's event streams; `heard` is called whenever anything comes. */
export async function* events(body: ReadableStream<Uint8Array>, heard?: () => void): AsyncGenerator<ServerEvent> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard?.();
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    void reader.cancel().catch(() => {});
  }
}

/** Takes text as it comes, and gives events as they are whole. */
export class EventParser {
  #rest = "";
  #name = "";
  #data: string[] = [];
  #id: string | null = null;

  *push(text: string): Generator<ServerEvent> {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line !== "") {
        this.#take(line);
        continue;
      }
      if (this.#data.length > 0) yield { name: this.#name || "message", data: this.#data.join("\n"), id: this.#id };
      this.#name = "";
      this.#data = [];
      this.#id = null;
    }
  }

  #take(line: string) {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id") this.#id = value;
  }
}
