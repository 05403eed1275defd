// What a node sees where something on the way repeats: a proxy that lost an answer sends the request again and hands on the second
// answer, and events of a watch come twice. (Packets that come twice TCP itself throws away: nobody above it sees them.)

import { fraction, type Random } from '@aksel/base/ids'
import type { ApiRequest, Transport } from '@aksel/client/transport'

export interface DoublingTransport extends Transport {
  /** From now on. */
  isDoubling: boolean
  /** Requests that were sent twice, and events that came twice. */
  readonly doubled: { requests: number; events: number }
}

/** Half of the requests are sent twice, by chance; of a watch every event comes twice. */
export function doublingTransport(random: Random, inner: Transport): DoublingTransport {
  const doubled = { requests: 0, events: 0 }
  const transport: DoublingTransport = {
    isDoubling: true,
    doubled,
    async send(request) {
      if (isWatch(request)) {
        const { status, headers, body } = await inner.send(request)
        const isTwice = (): boolean => transport.isDoubling && (doubled.events += 1) > 0
        return { status, headers, body: status === 200 ? linesOf(body, isTwice) : body }
      }
      if (transport.isDoubling && fraction(random) < 1 / 2) {
        const lost = await inner.send(request)
        for await (const _piece of lost.body);
        doubled.requests += 1
      }
      return inner.send(request)
    },
  }
  return transport
}

function isWatch({ path }: ApiRequest): boolean {
  return /[?&]watch=(1|true)\b/.test(path)
}

async function* linesOf(body: AsyncIterable<Uint8Array>, isTwice: () => boolean): AsyncIterable<Uint8Array> {
  let rest = Buffer.alloc(0)
  for await (const piece of body) {
    rest = Buffer.concat([rest, piece])
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end + 1)
      rest = rest.subarray(end + 1)
      yield line
      if (isTwice()) yield line
    }
  }
  if (rest.length > 0) yield rest
}
