// Programs of group `network` that send packets, each in a network namespace: who answers, who asks, and the node between them,
// which reads its flow log as an agent does.

import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { FlowLog } from '@aksel/network/flows/flow-log'
import { flowTableName } from '@aksel/network/flows/table'
import { spawnedNft } from '@aksel/network/nft/runner'
import { MemoryCaches } from '@aksel/network/testing/memory-caches'
import { serveOrders } from '../load/orders.ts'

/** A packet that is lost ends the measurement: what is measured is a machine without losses. */
const LOST_MS = 5000
const GIVE_UP_MS = 60_000
const CHUNK = Buffer.alloc(256 * 1024)
const DATAGRAM = Buffer.alloc(64)

interface Target {
  readonly address: string
  readonly port: number
}

export type PacketOrders = typeof orders

const orders = {
  ...flowOrders(),

  /** Sends back what comes over UDP; over TCP takes everything in and answers with how much it was. */
  async answer({ port }: { readonly port: number }): Promise<void> {
    const udp = createSocket('udp4')
    udp.on('message', (message, from) => udp.send(message, from.port, from.address))
    const tcp = createServer({ allowHalfOpen: true }, (socket) => {
      let bytes = 0
      socket.on('data', (chunk) => (bytes += chunk.length))
      socket.on('end', () => socket.end(String(bytes)))
    })
    udp.bind(port)
    tcp.listen(port)
    await Promise.all([once(udp, 'listening'), once(tcp, 'listening')])
  },

  /** Seconds that each of so many new conversations waited for its first answer, one after the other. */
  async firsts({ address, port, count }: Target & { readonly count: number }): Promise<readonly number[]> {
    const waits: number[] = []
    for (let n = 0; n < count; n += 1) {
      const socket = createSocket('udp4')
      socket.bind(0)
      await once(socket, 'listening')
      const beganMs = performance.now()
      const answered = answerTo(socket)
      socket.send(DATAGRAM, port, address)
      await answered
      waits.push((performance.now() - beganMs) / 1000)
      socket.close()
    }
    return waits
  },

  /** Answers a second to one conversation with so many questions under way. */
  async rounds({
    address,
    port,
    seconds,
    window,
  }: Target & { readonly seconds: number; readonly window: number }): Promise<number> {
    const socket = createSocket('udp4')
    let answers = 0
    socket.on('message', () => {
      answers += 1
      socket.send(DATAGRAM, port, address)
    })
    for (let n = 0; n < window; n += 1) socket.send(DATAGRAM, port, address)
    const beganMs = performance.now()
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    const rate = answers / ((performance.now() - beganMs) / 1000)
    socket.removeAllListeners('message')
    socket.close()
    if (answers === 0) throw new Error(`${address}:${port} does not answer`)
    return rate
  },

  /** Bytes a second over one connection, as its other end counts them. */
  async stream({ address, port, seconds }: Target & { readonly seconds: number }): Promise<number> {
    const socket = connect({ host: address, port, allowHalfOpen: true })
    await once(socket, 'connect')
    const answer: Buffer[] = []
    socket.on('data', (chunk) => answer.push(chunk))
    const ended = once(socket, 'end')
    const beganMs = performance.now()
    const untilMs = beganMs + seconds * 1000
    while (performance.now() < untilMs) if (!socket.write(CHUNK)) await once(socket, 'drain')
    socket.end()
    await ended
    const tookSeconds = (performance.now() - beganMs) / 1000
    socket.destroy()
    return Number(Buffer.concat(answer).toString()) / tookSeconds
  },

  /** The time at which a connection by name was first taken, in milliseconds since 1970. Asks again and again, without a pause for long. */
  async reach({
    name,
    dns,
    port,
  }: {
    readonly name: string
    readonly dns: string
    readonly port: number
  }): Promise<number> {
    const resolver = new Resolver({ timeout: 1000, tries: 1 })
    resolver.setServers([dns])
    const untilMs = performance.now() + GIVE_UP_MS
    while (performance.now() < untilMs) {
      const [address] = await resolver.resolve4(name).catch(() => [])
      if (address !== undefined && (await isTaken(address, port))) return performance.timeOrigin + performance.now()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    throw new Error(`${name} was not reached in ${GIVE_UP_MS / 1000} s`)
  },

  async load(script: string): Promise<void> {
    const scope = { clock: systemClock(), random: systemRandom(), log: silentLog() }
    await spawnedNft().apply({ ...scope, signal: AbortSignal.timeout(60_000) }, [script])
  },
}

/** The agent's own reader of flows, without a cluster: ends of flows have no names. */
function flowOrders() {
  let seen = 0
  let stop = (): Promise<void> => Promise.resolve()
  return {
    /** Reads flows as somebody at `aksel flows` does. Resolves when the kernel copies packets. */
    async followFlows(): Promise<void> {
      seen = 0
      const end = new AbortController()
      const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: end.signal }
      const log = new FlowLog({
        caches: new MemoryCaches(),
        nodeName: 'n0',
        nodeAddress: '127.0.0.1',
        podCidr: '10.244.0.0/24',
        serviceCidr: '10.0.0.0/16',
        clusterDns: '10.0.0.10',
        logPath: join(tmpdir(), 'aksel-bench-flows.log'),
      })
      const ended = log.run(scope)
      const following = log.follow({}, () => (seen += 1))
      stop = async () => {
        following[Symbol.dispose]()
        end.abort()
        await ended
      }
      const isThere = (): Promise<boolean> =>
        spawnedNft()
          .apply(scope, [`list table ${flowTableName(4)}`])
          .then(
            () => true,
            () => false,
          )
      for (let n = 0; n < 500 && !(await isThere()); n += 1) await new Promise((resolve) => setTimeout(resolve, 10))
    },

    /** How many flows were seen meanwhile. */
    async leaveFlows(): Promise<number> {
      await stop()
      return seen
    },
  }
}

function isTaken(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: 1000 })
  return new Promise((resolve) => {
    const end = (taken: boolean): void => {
      socket.destroy()
      resolve(taken)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
}

function answerTo(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a packet was lost: nothing was measured')), LOST_MS)
    socket.once('message', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

serveOrders(orders)
