// A program for host tests: answers every TCP connection, and every UDP datagram, on a port with a name and the caller's address.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const [address, port, name] = process.argv.slice(2) as [string, string, string]
const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.end(`${name} ${socket.remoteAddress}\n`)
})
server.listen(Number(port), address)
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
socket.on('message', (_, from) => socket.send(`${name} ${from.address}\n`, from.port, from.address))
socket.bind(Number(port), address)
await Promise.all([once(server, 'listening'), once(socket, 'listening')])
process.stdout.write('ready\n')
