// `az monitor activity-log`: who did what, and how it ended.

import { InvalidArgumentError, type Command } from 'commander'
import { addLeaf, parseCount } from './command.ts'
import { listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface ListFlags extends CommonFlags {
  readonly resourceGroup?: string
  readonly resourceId?: string
  readonly namespace?: string
  readonly correlationId?: string
  readonly caller?: string
  readonly status?: string
  readonly startTime?: string
  readonly endTime?: string
  /** Milliseconds. */
  readonly offset: number
  readonly maxEvents: number
  readonly select?: readonly string[]
}

interface Named {
  readonly value: string
}

interface Event {
  readonly eventTimestamp: string
  readonly caller: string
  readonly operationName: Named
  readonly status: Named
  readonly resourceId: string
}

const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 }

/** `1d6h`, as az takes it. */
function parseOffset(text: string): number {
  if (!/^(\d+[dhm])+$/i.test(text)) throw new InvalidArgumentError(`invalid timedelta: '${text}'`)
  return [...text.matchAll(/(\d+)([dhm])/gi)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitMs[unit!.toLowerCase()]!,
    0,
  )
}

export function addMonitor(az: Command, session: Session): void {
  const log = az
    .command('monitor')
    .description('Manage the monitoring of resources.')
    .command('activity-log')
    .description('Manage activity logs.')
  addLeaf<ListFlags>(log, session, 'list', {
    description: 'List and query activity log events, the newest first.',
    flags: (command) =>
      command
        .option('-g, --resource-group <name>', 'only of this group')
        .option('--resource-id <id>', 'only of this resource')
        .option('--namespace <namespace>', 'only of this resource provider')
        .option('--correlation-id <id>', 'only what one request led to')
        .option('--caller <caller>', 'only of this caller')
        .option('--status <status>', 'only with this status, such as Failed')
        .option('--start-time <time>', 'from then')
        .option('--end-time <time>', 'until then')
        .option('--offset <offset>', 'how far back from the end, such as 1d or 6h', parseOffset, parseOffset('6h'))
        .option('--max-events <count>', 'at most so many', parseCount, 50)
        .option('--select <name...>', 'only these members'),
    row: (({ eventTimestamp, caller, operationName, status, resourceId }: Event) => ({
      Time: eventTimestamp,
      Caller: caller,
      Operation: operationName.value,
      Status: status.value,
      Resource: resourceId,
    })) as never,
    run: (_, flags) => list(session, flags),
  })
}

async function list(session: Session, flags: ListFlags): Promise<readonly unknown[]> {
  const end = flags.endTime === undefined ? Date.now() : Date.parse(flags.endTime)
  const start = flags.startTime === undefined ? end - flags.offset : Date.parse(flags.startTime)
  const equal = (field: string, value: string | undefined): readonly string[] =>
    value === undefined ? [] : [`${field} eq '${value}'`]
  const filter = [
    `eventTimestamp ge ${new Date(start).toISOString()}`,
    `eventTimestamp le ${new Date(end).toISOString()}`,
    "eventChannels eq 'Admin, Operation'",
    ...equal('resourceGroupName', flags.resourceGroup),
    ...equal('resourceId', flags.resourceId),
    ...equal('resourceProvider', flags.namespace),
    ...equal('correlationId', flags.correlationId),
    ...equal('caller', flags.caller),
    ...equal('status', flags.status),
  ].join(' and ')
  const select = flags.select === undefined ? '' : `&$select=${flags.select.join(',')}`
  const path = `${subscriptionPath(session, flags)}/providers/Microsoft.Insights/eventtypes/management/values`
  const found = await listAll(session, `${path}?api-version=2015-04-01&$filter=${encodeURIComponent(filter)}${select}`)
  return found.slice(0, flags.maxEvents)
}
