// The containers of a pod: what runs in each, how it fares, how often it began anew and why.

import type { KubeObject } from '../data/use-object.ts'
import type { Tone } from '../model/kube-table.ts'

interface ContainerSpec {
  readonly name: string
  readonly image?: string
  readonly restartPolicy?: string
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
  }
}

interface Ended {
  readonly exitCode: number
  readonly reason?: string
  readonly message?: string
}

interface ContainerStatus {
  readonly name: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: {
    readonly running?: unknown
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly terminated?: Ended
  }
  readonly lastState?: { readonly terminated?: Ended }
}

export function Containers({ object }: { readonly object: KubeObject }) {
  const { spec = {}, status = {} } = object
  const list = <T,>(from: Readonly<Record<string, unknown>>, key: string): readonly T[] =>
    (from[key] as readonly T[] | undefined) ?? []
  const groups = [
    ['init', list<ContainerSpec>(spec, 'initContainers'), list<ContainerStatus>(status, 'initContainerStatuses')],
    ['', list<ContainerSpec>(spec, 'containers'), list<ContainerStatus>(status, 'containerStatuses')],
    [
      'debug',
      list<ContainerSpec>(spec, 'ephemeralContainers'),
      list<ContainerStatus>(status, 'ephemeralContainerStatuses'),
    ],
  ] as const
  return (
    <section className="card" aria-label="Containers">
      <header>
        <h2>Containers</h2>
      </header>
      <div className="body tablebox" tabIndex={0}>
        <table className="plain">
          <thead>
            <tr>
              <th>Name</th>
              <th>State</th>
              <th>Restarts</th>
              <th>Image</th>
              <th>CPU</th>
              <th>Memory</th>
            </tr>
          </thead>
          <tbody>
            {groups.flatMap(([role, specs, statuses]) =>
              specs.map((container) => {
                const at = statuses.find(({ name }) => name === container.name)
                const [tone, text, more] = stateOf(at)
                return (
                  <tr key={container.name}>
                    <td>
                      {container.name}{' '}
                      {role !== '' && (
                        <span className="chip">{container.restartPolicy === 'Always' ? 'sidecar' : role}</span>
                      )}
                    </td>
                    <td>
                      <span className={`dot ${tone}`} />
                      {text}
                      {more !== '' && (
                        <div className="dim" style={{ fontSize: 12, overflowWrap: 'anywhere' }}>
                          {more}
                        </div>
                      )}
                    </td>
                    <td>{at?.restartCount ?? 0}</td>
                    <td className="mono" style={{ overflowWrap: 'anywhere' }}>
                      {container.image}
                    </td>
                    <td style={{ whiteSpace: 'nowrap' }}>{bounds(container, 'cpu')}</td>
                    <td style={{ whiteSpace: 'nowrap' }}>{bounds(container, 'memory')}</td>
                  </tr>
                )
              }),
            )}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function bounds({ resources }: ContainerSpec, name: string): string {
  const [request, limit] = [resources?.requests?.[name], resources?.limits?.[name]]
  if (request === undefined && limit === undefined) return '–'
  return `${request ?? '0'} to ${limit ?? 'any'}`
}

function stateOf(status: ContainerStatus | undefined): readonly [Tone, string, string] {
  const { state, lastState, ready } = status ?? {}
  const before = lastState?.terminated === undefined ? '' : `before: ${ended(lastState.terminated)}`
  if (state?.running !== undefined)
    return [ready === true ? 'good' : 'warn', ready === true ? 'Running' : 'Running, not ready', before]
  if (state?.terminated !== undefined)
    return [state.terminated.exitCode === 0 ? 'quiet' : 'bad', ended(state.terminated), state.terminated.message ?? '']
  const reason = state?.waiting?.reason ?? 'Waiting'
  return [
    /BackOff|Err|Invalid/.test(reason) ? 'bad' : 'busy',
    reason,
    [state?.waiting?.message, before].filter(Boolean).join('; '),
  ]
}

function ended({ exitCode, reason }: Ended): string {
  return `${reason ?? 'Ended'}, exit code ${exitCode}`
}
