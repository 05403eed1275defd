// Programs of group `network`, each in a process of its own: the node's DNS server over a thousand services, an echo that
// does nothing but send back what came, and the clients that ask either.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Service } from '@aksel/api/types/core-v1'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { ClusterServer } from '@aksel/network/dns/answering-server'
import { clusterNames } from '@aksel/network/dns/cluster-names'
import { listen } from '@aksel/network/dns/listen'
import type { ZoneView } from '@aksel/network/dns/zone'
import { serveOrders } from '../load/orders.ts'

const SERVICES = 1000
const SOCKETS = 4
/** Questions that are under way at once, over all sockets, at full load. */
const WINDOW = 128
/** A datagram that is lost must not hold its place in the window for ever. */
const LOST_MS = 1000

export interface LoadOrder {
  readonly port: number
  readonly seconds: number
  /** Questions a second; as many as are answered when absent. */
  readonly rate?: number
}

export interface LoadReport {
  readonly answers: number
  readonly lost: number
  readonly seconds: number
  /** Seconds that 99 of a hundred answers took at most. */
  readonly p99Seconds: number
  /** The answers' code and count were those of the question's service. */
  readonly wrong: number
}

function questions(): readonly Buffer[] {
  return Array.from({ length: SERVICES }, (_, n) => {
    const name = `service-${n}.default.svc.cluster.local`
    return questionFor(name)
  })
}

/** One question for an A record, with recursion desired (RFC 1035, 4.1). */
function questionFor(name: string): Buffer {
  const header = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  const labels = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'))
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])])
}

function view(): ZoneView {
  const services = new Map<string, Service>()
  for (let n = 0; n < SERVICES; n += 1) {
    const clusterIP = `10.0.${n >> 8}.${n & 255}`
    const metadata = { name: `service-${n}`, namespace: 'default' }
    services.set(`default/service-${n}`, {
      metadata,
      spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80 }] },
    })
  }
  return {
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    slices: () => [],
    hasServices: (namespace) => namespace === 'default',
    serviceAt: () => undefined,
    slicesAt: () => [],
  }
}

const orders = {
  /** Returns its port. */
  async dns(): Promise<number> {
    const scope = {
      clock: systemClock(),
      random: systemRandom(),
      log: silentLog(),
      signal: new AbortController().signal,
    }
    const names = clusterNames({
      view: view(),
      clusterDomain: 'cluster.local',
      address: '127.0.0.1',
      ttlSeconds: 30,
      elsewhere: () => Promise.reject(new Error('The benchmark asks for names of the cluster alone')),
    })
    const { port } = await listen(scope, new ClusterServer(names), { address: '127.0.0.1', port: 0 })
    return port
  },
  /** Returns its port. */
  async echo(): Promise<number> {
    const socket = createSocket('udp4')
    socket.on('message', (message, from) => socket.send(message, from.port, from.address, () => {}))
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return (socket.address() as AddressInfo).port
  },
  load: (order: LoadOrder): Promise<LoadReport> => load(order),
}

async function load({ port, seconds, rate }: LoadOrder): Promise<LoadReport> {
  const asked = questions()
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => openSocket(port)))
  const sentAt = sockets.map(() => new Float64Array(65_536))
  const latencies: number[] = []
  let [sent, open, lost, wrong, isOver] = [0, 0, 0, 0, false]
  const ask = (): void => {
    const which = sent % SOCKETS
    const id = Math.floor(sent / SOCKETS) % 65_536
    const message = Buffer.from(asked[sent % SERVICES]!)
    message.writeUInt16BE(id, 0)
    const own = sentAt[which]!
    if (own[id] !== 0) lost += 1
    own[id] = performance.now()
    sent += 1
    open += 1
    sockets[which]!.send(message, () => {})
  }
  sockets.forEach((socket, which) =>
    socket.on('message', (answer) => {
      const id = answer.readUInt16BE(0)
      const since = sentAt[which]![id]!
      if (since === 0) return
      sentAt[which]![id] = 0
      open -= 1
      latencies.push(performance.now() - since)
      // An echo is the question again; of an answer the code is 0 and there is one record.
      if ((answer[2]! & 0x80) !== 0 && ((answer[3]! & 15) !== 0 || answer.readUInt16BE(6) !== 1)) wrong += 1
      if (rate === undefined && !isOver) ask()
    }),
  )
  const startedMs = performance.now()
  if (rate === undefined) for (let n = 0; n < WINDOW; n += 1) ask()
  await new Promise<void>((resolve) => {
    let lastMs = startedMs
    const timer = setInterval(() => {
      const nowMs = performance.now()
      if (nowMs - startedMs >= seconds * 1000) {
        clearInterval(timer)
        return resolve()
      }
      if (rate !== undefined) {
        const due = Math.floor(((nowMs - startedMs) / 1000) * rate)
        while (sent < due) ask()
      } else if (nowMs - lastMs > LOST_MS && open < WINDOW) while (open < WINDOW) ask()
      lastMs = nowMs
    }, 1)
  })
  const elapsed = (performance.now() - startedMs) / 1000
  isOver = true
  // What is under way may still come.
  await new Promise<void>((resolve) => setTimeout(resolve, 100))
  sockets.forEach((socket) => socket.close())
  const sorted = latencies.toSorted((left, right) => left - right)
  const p99Seconds = (sorted[Math.floor(sorted.length * 0.99)] ?? 0) / 1000
  return { answers: latencies.length, lost: lost + open, seconds: elapsed, p99Seconds, wrong }
}

async function openSocket(port: number): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

export type DnsOrders = typeof orders

serveOrders(orders)
