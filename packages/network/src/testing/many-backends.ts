// A program for host tests: stands for many backends. Answers every TCP connection and every UDP datagram with the address that
// it was sent to. Arguments: port, then the addresses.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const [port, ...addresses] = process.argv.slice(2) as [string, ...string[]]
const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.end(`${socket.localAddress}\n`)
})
server.listen({ port: Number(port), host: '0.0.0.0', backlog: 4096 })
await once(server, 'listening')
for (const address of addresses) {
  const socket = createSocket('udp4')
  socket.on('error', () => {})
  socket.on('message', (_, from) => socket.send(address, from.port, from.address))
  socket.bind(Number(port), address)
  await once(socket, 'listening')
}
process.stdout.write('ready\n')
