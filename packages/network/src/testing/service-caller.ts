// A program for host tests: a line of JSON on its input lists whom to ask, a line on its output who answered each; '' where nobody did.

import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

export interface Question {
  readonly protocol: 'TCP' | 'UDP'
  readonly ip: string
  readonly port: number
}

const AT_ONCE = 256
const TCP_MS = 10_000
/** Datagrams are lost for good: asked again so often. */
const UDP_TRIES = 8
const UDP_MS = 1000

async function overTcp({ ip, port }: Question): Promise<string> {
  const socket = connect({ host: ip, port, timeout: TCP_MS })
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  socket.on('timeout', () => socket.destroy())
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(pieces).toString().trim()
}

async function overUdp({ ip, port }: Question): Promise<string> {
  for (let tries = 0; tries < UDP_TRIES; tries += 1) {
    const socket = createSocket('udp4')
    const answer = await new Promise<string | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), UDP_MS)
      socket.on('message', (text) => {
        clearTimeout(timer)
        resolve(text.toString())
      })
      // Refused: nobody serves the port.
      socket.on('error', () => {
        clearTimeout(timer)
        resolve('')
      })
      socket.connect(port, ip, () => socket.send('?'))
    })
    socket.close()
    if (answer !== undefined) return answer
  }
  return ''
}

const lines = createInterface(process.stdin)
lines.on('line', (line) => {
  const questions = JSON.parse(line) as readonly Question[]
  const answers: string[] = questions.map(() => '')
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < questions.length; at = next++) {
      const question = questions[at]!
      answers[at] = await (question.protocol === 'TCP' ? overTcp(question) : overUdp(question))
    }
  }
  void Promise.all(Array.from({ length: AT_ONCE }, worker)).then(() =>
    process.stdout.write(`${JSON.stringify(answers)}\n`),
  )
})
process.stdout.write('ready\n')
