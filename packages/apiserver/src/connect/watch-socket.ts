// A watch over a WebSocket: one event a message, as text in JSON and as bytes in protobuf.

import { WebSocket } from 'ws'
import { isPushed, type Answer, type IncomingCall, type Sink } from '../http/message.ts'
import { acceptWebSocket, isWebSocket } from '@aksel/runtime/upgrades/web-socket'

/** Frames of protobuf carry their length over HTTP; a message has its own. */
const FRAME_PREFIX_BYTES = 4

/** Takes the connection over where the caller asked for a WebSocket; otherwise the answer is passed on. */
export async function overWebSocket(call: IncomingCall, answer: Answer): Promise<Answer | 'upgraded'> {
  const { body } = answer
  if (call.upgrade === undefined || !isWebSocket(call) || !isPushed(body)) return answer
  const isBinary = (answer.headers['content-type'] ?? '').includes('protobuf')
  const { socket } = await acceptWebSocket(call, watchProtocols(call))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  let waiting: (() => void) | undefined
  const sent = (): void => {
    const done = waiting
    if (socket.bufferedAmount > 0 || done === undefined) return
    waiting = undefined
    done()
  }
  const sink: Sink = {
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    write(piece) {
      if (socket.readyState !== WebSocket.OPEN) return
      if (isBinary) socket.send(piece.subarray(FRAME_PREFIX_BYTES), { binary: true }, sent)
      else socket.send(piece, { binary: false }, sent)
    },
    whenTaken(done) {
      if (socket.bufferedAmount === 0) setImmediate(done)
      else waiting = done
    },
    end: () => socket.close(1000),
  }
  body.start(sink)
  await closed
  return 'upgraded'
}

/** A watch speaks JSON whatever it is called: upstream takes the one protocol that a client names, Headlamp's `base64.binary.k8s.io` too. */
function watchProtocols({ headers }: Pick<IncomingCall, 'headers'>): readonly string[] {
  const asked = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  return ['v1.watch.k8s.io', ...asked]
}
