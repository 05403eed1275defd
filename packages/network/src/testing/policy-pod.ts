// A program for host tests: a pod that answers on ports, TCP and UDP, and tries others when asked to on its standard input.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'

export interface ProbeTarget {
  readonly protocol: 'tcp' | 'udp'
  readonly ip: string
  readonly port: number
}

const WAIT_MS = 1000
const ANSWER = 'here'

const ports = process.argv.slice(2).map(Number)
for (const port of ports) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(ANSWER)
  })
  const socket = createSocket('udp4')
  socket.on('message', (_, from) => socket.send(ANSWER, from.port, from.address))
  server.listen(port, '0.0.0.0')
  socket.bind(port, '0.0.0.0')
  await Promise.all([once(server, 'listening'), once(socket, 'listening')])
}
process.stdout.write('ready\n')
const source = sourcePorts(20_000, 60_000)
for await (const line of createInterface(process.stdin)) {
  const targets = JSON.parse(line) as readonly ProbeTarget[]
  process.stdout.write(`${JSON.stringify(await Promise.all(targets.map((target) => isReached(target, source))))}\n`)
}

/**
 * Each question over UDP comes from another port: an answered one is an open connection to the kernel for half a minute, whatever
 * policies say since.
 */
function* sourcePorts(first: number, last: number): Generator<number, never> {
  for (let port = first; ; port = port === last ? first : port + 1) yield port
}

function isReached({ protocol, ip, port }: ProbeTarget, source: Generator<number, never>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(false), WAIT_MS)
    const end =
      protocol === 'tcp' ? overTcp(ip, port, settle) : overUdp({ ip, port, from: source.next().value }, settle)
    function settle(reached: boolean): void {
      clearTimeout(timer)
      end()
      resolve(reached)
    }
  })
}

function overTcp(host: string, port: number, settle: (reached: boolean) => void): () => void {
  const socket = connect({ host, port })
  socket.once('data', () => settle(true))
  socket.on('error', () => settle(false))
  return () => socket.destroy()
}

interface Question {
  readonly ip: string
  readonly port: number
  readonly from: number
}

function overUdp({ ip, port, from }: Question, settle: (reached: boolean) => void): () => void {
  const socket = createSocket('udp4')
  let isOpen = true
  socket.once('message', () => settle(true))
  socket.once('error', () => settle(false))
  socket.bind(from, () => {
    if (isOpen) socket.send('anybody', port, ip)
  })
  return () => {
    if (isOpen) socket.close()
    isOpen = false
  }
}
