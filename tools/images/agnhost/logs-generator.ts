// `logs-generator`: so many log lines, spread over so long.

import { parseDuration, type Flags } from './flags.ts'

const methods = ['GET', 'PUT', 'POST']
const namespaces = ['kube-system', 'default', 'ns']
const resources = ['pods']

export async function generateLogs(flags: Flags): Promise<void> {
  const total = flags.number('log-lines-total', 0)
  const durationMs = parseDuration(flags.text('run-duration', '0s'))
  if (total <= 0) throw new Error(`Invalid total number of lines: ${total}`)
  if (durationMs <= 0) throw new Error(`Invalid duration: ${durationMs} ms`)
  for (let count = 0; count < total; count += 1) {
    const pick = (words: readonly string[]): string => words[Math.floor(Math.random() * words.length)]!
    const url = `/api/v1/namespaces/${pick(namespaces)}/${pick(resources)}/${Math.random().toString(36).slice(2, 5)}`
    const time = new Date().toISOString()
    const status = 200 + Math.floor(Math.random() * 400)
    process.stdout.write(
      `I${time.slice(5, 7)}${time.slice(8, 10)} ${time.slice(11, 23)}000       1 logs_generator.go:76] ${count} ${pick(methods)} ${url} ${status}\n`,
    )
    await new Promise((resolve) => setTimeout(resolve, durationMs / total))
  }
}
