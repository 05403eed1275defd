// D5: what the node's DNS answers in a second and how soon, beside an echo over UDP that the same clients ask.

import { fileURLToPath } from 'node:url'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import { startChild, type Child } from '../load/orders.ts'
import { rowOf, type BenchRow } from '../row.ts'
import { noStages } from '../stages.ts'
import type { DnsOrders, LoadReport } from './dns-main.ts'

const PROGRAM = fileURLToPath(new URL('dns-main.ts', import.meta.url))
const stages = noStages('a DNS question meets no API server')

export async function dnsRows({ runs, say }: BenchRequest, seconds: number): Promise<readonly BenchRow[]> {
  await using server = await startChild<DnsOrders>({ program: PROGRAM })
  await using echo = await startChild<DnsOrders>({ program: PROGRAM })
  await using clients = await startChild<DnsOrders>({ program: PROGRAM })
  const ports = { dns: await server.ask('dns', undefined), echo: await echo.ask('echo', undefined) }
  say(`network: DNS beside an echo, ${runs} times ${seconds} s each`)
  const ask = (port: number, rate?: number): Promise<LoadReport> => load(clients, port, seconds, rate)
  await ask(ports.dns)
  await ask(ports.echo)
  const echoes: LoadReport[] = []
  const answers: LoadReport[] = []
  const calm: LoadReport[] = []
  const calmEchoes: LoadReport[] = []
  for (let run = 0; run < runs; run += 1) {
    echoes.push(await ask(ports.echo))
    answers.push(await ask(ports.dns))
    const half = rateOf(answers.at(-1)!) / 2
    calm.push(await ask(ports.dns, half))
    calmEchoes.push(await ask(ports.echo, half))
  }
  echoes.push(await ask(ports.echo))
  calmEchoes.push(await ask(ports.echo, rateOf(answers.at(-1)!) / 2))
  const details = {
    services: 1000,
    lost: sum(answers, ({ lost }) => lost),
    clients: 'one process, 4 sockets, 128 questions under way',
  }
  return [
    rowOf({
      name: 'D5.rate DNS answers of the node',
      unit: '/s',
      runs: answers.map(rateOf),
      probe: { of: 'an echo over UDP to the same clients', before: rateOf(echoes[0]!), after: rateOf(echoes.at(-1)!) },
      stages,
      details,
    }),
    rowOf({
      name: 'D5.p99 DNS answer at half of that rate',
      unit: 's',
      runs: calm.map(({ p99Seconds }) => p99Seconds),
      probe: {
        of: 'the echo at the same rate, p99',
        before: calmEchoes[0]!.p99Seconds,
        after: calmEchoes.at(-1)!.p99Seconds,
      },
      stages,
      details: { ...details, lost: sum(calm, ({ lost }) => lost) },
    }),
  ]
}

async function load(clients: Child<DnsOrders>, port: number, seconds: number, rate?: number): Promise<LoadReport> {
  const report = await clients.ask('load', { port, seconds, ...(rate === undefined ? {} : { rate }) })
  if (report.wrong > 0) throw new CommandError(`${report.wrong} DNS answers were wrong: nothing was measured.`)
  return report
}

function rateOf({ answers, seconds }: LoadReport): number {
  return answers / seconds
}

function sum(reports: readonly LoadReport[], read: (report: LoadReport) => number): number {
  return reports.reduce((total, report) => total + read(report), 0)
}
