// A program for host tests: connects from one address to another and prints the answer.

import { connect } from 'node:net'

const [localAddress, host, port] = process.argv.slice(2) as [string, string, string]
const socket = connect({ host, port: Number(port), localAddress, timeout: 2000 })
socket.on('timeout', () => socket.destroy())
socket.on('error', () => {})
socket.pipe(process.stdout)
