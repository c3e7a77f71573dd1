// A name server on this machine that answers what a test tells it, for the proof of domains.
import { createSocket, type Socket } from "node:dgram";
import type { AddressInfo } from "node:net";

const TYPES = { A: 1, CNAME: 5, TXT: 16 } as const;
const IN = 1;
const TTL_S = 1;

export class NameServer {
  readonly #records = new Map<string, Buffer>();

  private constructor(readonly socket: Socket) {
    socket.on("message", (question, from) => socket.send(this.#answer(question), from.port, from.address));
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve, reject) => socket.once("error", reject).bind(0, "127.0.0.1", resolve));
    return new NameServer(socket);
  }

  get address(): string {
    return `127.0.0.1:${(this.socket.address() as AddressInfo).port}`;
  }

  set(type: keyof typeof TYPES, name: string, value: string) {
    const data = {
      A: () => Buffer.from(value.split(".").map(Number)),
      CNAME: () => wire(value),
      TXT: () => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]),
    }[type]();
    this.#records.set(`${TYPES[type]} ${plainName(name)}`, data);
  }

  stop() {
    this.socket.close();
  }

  #answer(question: Buffer): Buffer {
    let at = 12;
    const labels: string[] = [];
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString("latin1", at + 1, at + 1 + length));
      at += length + 1;
    }
    const type = question.readUInt16BE(at + 1);
    const name = plainName(labels.join("."));
    // An alias answers for whatever is asked of its name.
    const found = [type, TYPES.CNAME].map((type): [number, Buffer | undefined] => [
      type,
      this.#records.get(`${type} ${name}`),
    ]);
    const [of, data] = found.find(([, data]) => data !== undefined) ?? [type, undefined];
    const head = Buffer.alloc(12);
    question.copy(head, 0, 0, 2);
    // An answer with authority; what is not there does not exist.
    head.writeUInt16BE(data ? 0x8580 : 0x8583, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(data ? 1 : 0, 6);
    const asked = question.subarray(12, at + 5);
    if (!data) return Buffer.concat([head, asked]);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(of, 2);
    record.writeUInt16BE(IN, 4);
    record.writeUInt32BE(TTL_S, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, asked, record, data]);
  }
}

const plainName = (name: string) => name.toLowerCase().replace(/\.$/, "");

function wire(name: string): Buffer {
  const labels = plainName(name).split(".");
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.from([0]),
  ]);
}
