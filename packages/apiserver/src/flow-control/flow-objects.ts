// Flow schemas and priority levels as the cluster has them now: each change is in force with the next request, and each schema
// says whether the level that it names is there.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { FlowSchema, FlowSchemaCondition, PriorityLevelConfiguration } from '@aksel/api/types/flowcontrol-v1'
import { formatTime } from '@aksel/base/clock'
import { draftOf, type Draft } from '@aksel/base/draft'
import { isReason } from '@aksel/base/errors'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import { NameQueue } from '../name-queue.ts'
import type { Registry } from '../registry/registry.ts'
import { changeObject } from '../registry/update.ts'
import type { FlowControl } from './flow-control.ts'

const apiServer: UserInfo = { name: 'system:apiserver', groups: [masters] }
const MANAGER = 'api-priority-and-fairness-config-consumer-v1'

export interface FlowRows {
  readonly schemas: KindRow
  readonly levels: KindRow
}

export class FlowObjects {
  readonly #registry: Registry
  readonly #control: FlowControl
  readonly #rows: FlowRows
  readonly #queue: NameQueue
  #reading: Promise<void> | undefined
  #isStale = false

  constructor(registry: Registry, control: FlowControl, rows: FlowRows) {
    this.#registry = registry
    this.#control = control
    this.#rows = rows
    this.#queue = new NameQueue(registry.scope, {
      look: (name) => this.#judge(name),
      failed: (_name, error) => (isReason(error, 'NotFound') ? 'done' : 'again'),
      measure: registry.metrics.queues.of('priority_and_fairness_config_queue'),
    })
  }

  async start(): Promise<void> {
    const { records, scope } = this.#registry
    for (const row of [this.#rows.schemas, this.#rows.levels]) records.onChange(row, scope.signal, () => this.#look())
    // What a new cluster starts with is told at once, so that it is quiet from then on.
    await Promise.all((await this.#read()).map((name) => this.#judge(name)))
  }

  #look(): void {
    this.#isStale = true
    if (this.#reading !== undefined) return
    this.#reading = this.#read()
      .then((names) => names.forEach((name) => this.#queue.add(name)))
      .catch((error: unknown) => {
        if (!this.#registry.scope.signal.aborted)
          this.#registry.scope.log.error('flow control goes on with what it knew', { error })
      })
      .finally(() => (this.#reading = undefined))
  }

  /** Puts in force what there is; returns the schemas whose status does not say how it is. */
  async #read(): Promise<readonly string[]> {
    const { records } = this.#registry
    let untold: readonly string[] = []
    do {
      this.#isStale = false
      const [schemas, levels] = await Promise.all([records.list(this.#rows.schemas), records.list(this.#rows.levels)])
      const all = schemas.map(({ object }) => object as FlowSchema)
      this.#control.configure(
        all,
        levels.map(({ object }) => object as PriorityLevelConfiguration),
      )
      untold = all.filter((schema) => isUntold(schema, this.#control)).map(({ metadata }) => metadata.name)
    } while (this.#isStale)
    return untold
  }

  async #judge(name: string): Promise<void> {
    const { records, scope } = this.#registry
    const row = this.#rows.schemas
    const found = await records.get(row, '', name)
    if (found === undefined || !isUntold(found.object as FlowSchema, this.#control)) return
    const call = {
      row,
      namespace: '',
      user: apiServer,
      dryRun: false,
      warnings: new Set<string>(),
      fieldManager: MANAGER,
    }
    await changeObject(this.#registry, call, {
      name,
      subresource: 'status',
      next: (current) => {
        const draft = draftOf(current!) as Draft<KubernetesObject> & { status?: unknown }
        const schema = current as unknown as FlowSchema
        const lastTransitionTime = formatTime(scope.clock.now())
        const others = (schema.status?.conditions ?? []).filter(({ type }) => type !== 'Dangling')
        draft.status = { conditions: [...others, { ...danglingOf(schema, this.#control), lastTransitionTime }] }
        delete draft.metadata.resourceVersion
        return draft
      },
    })
  }
}

function danglingOf({ spec }: FlowSchema, { levels }: FlowControl): FlowSchemaCondition {
  const name = spec?.priorityLevelConfiguration.name ?? ''
  const lead = `This FlowSchema references the PriorityLevelConfiguration object named "${name}"`
  return levels.get(name)?.isQuiescing === false
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${lead} and it exists` }
    : { type: 'Dangling', status: 'True', reason: 'NotFound', message: `${lead} but there is no such object` }
}

function isUntold(schema: FlowSchema, control: FlowControl): boolean {
  const said = schema.status?.conditions?.find(({ type }) => type === 'Dangling')
  const now = danglingOf(schema, control)
  return said?.status !== now.status || said?.message !== now.message
}
