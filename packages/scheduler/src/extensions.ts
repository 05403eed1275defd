// What may be added to the scheduler from outside: plug-ins of the decision, others that are asked before it (upstream's
// extenders), and what happens between a decision and the binding (devices that are taken, gangs that wait for each other).

import { keyOf } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Plugin, World } from './plugin.ts'
import type { Profile } from './profile.ts'

/** What somebody else said of the nodes for one pod. */
export interface Answers {
  /** Words by node: it does not take the pod. */
  readonly refused?: ReadonlyMap<string, string>
  /** From 0 to 100 by node; 0 where absent. */
  readonly scores?: ReadonlyMap<string, number>
}

export interface Extension {
  /** Names it in `FailedScheduling`, in explanations and in logs. */
  readonly name: string
  /** Weight of its scores. Default 1. */
  readonly weight?: number
  /** Part of the scheduler: profiles switch and weigh it by its name. */
  readonly isBuiltIn?: boolean
  /** One more plug-in of the decision, which neither waits nor writes. It is asked after the scheduler's own. */
  readonly plugin?: (world: World) => Plugin
  /** Asked before a pod is decided; undefined where the pod does not concern it. A rejection means: try again later. */
  ask?(scope: Scope, pod: Pod): Promise<Answers> | undefined
  /** Takes what the pod needs on the node that was chosen; a sentence refuses, and the pod is tried again. */
  reserve?(pod: Pod, nodeName: string): string | undefined
  /** Gives it back: the pod is not bound after all. Called for every `reserve` that did not refuse, and may be called twice. */
  unreserve?(pod: Pod, nodeName: string): void
  /**
   * The pod is bound when this resolves, and tried again when it rejects; other pods go on meanwhile, and this one counts as
   * standing on the node. Writes what has to be written first, or waits for the rest of a gang.
   */
  permit?(scope: Scope, pod: Pod, nodeName: string): Promise<void> | undefined
  /** The pod is not to be tried yet, and nothing is to be said of it: it waits for what wakes this extension. */
  holds?(pod: Pod): boolean
  /** No node took the pod, and this extension was among those that turned it away. */
  refused?(pod: Pod): void
}

/** The profile in which the extensions' plug-ins filter and score too. */
export function withExtensions(profile: Profile, extensions: readonly Extension[]): Profile {
  const added = extensions.filter(({ isBuiltIn }) => isBuiltIn !== true)
  if (added.length === 0) return profile
  const filters = new Set([...profile.filters, ...added.map(({ name }) => name)])
  const scores = new Map([...profile.scores, ...added.map(({ name, weight = 1 }) => [name, weight] as const)])
  return { ...profile, filters, scores }
}

export class Extensions {
  readonly all: readonly Extension[]
  readonly #answers = new Map<string, ReadonlyMap<Extension, Answers>>()

  constructor(all: readonly Extension[]) {
    this.all = all
  }

  /** Plug-ins for one world: the extensions' own, and one for what each that was asked has answered. */
  pluginsFor(world: World): readonly Plugin[] {
    return this.all.flatMap((extension) => [
      ...(extension.plugin === undefined ? [] : [extension.plugin(world)]),
      ...(extension.ask === undefined ? [] : [this.#answerPlugin(world, extension)]),
    ])
  }

  /** Undefined where nobody has to be asked. What was answered holds for the next decision about the pod. */
  ask(scope: Scope, pod: Pod): Promise<void> | undefined {
    const asked = this.all.flatMap((extension) => {
      const answer = extension.ask?.(scope, pod)
      return answer === undefined ? [] : [{ extension, answer }]
    })
    if (asked.length === 0) return undefined
    return Promise.all(asked.map(async ({ extension, answer }) => [extension, await answer] as const)).then(
      (answers) => {
        this.#answers.set(keyOf(pod), new Map(answers))
      },
    )
  }

  forget(pod: Pod): void {
    this.#answers.delete(keyOf(pod))
  }

  /** Why it may not be, as upstream words it; then nothing is held. */
  reserve(pod: Pod, nodeName: string): string | undefined {
    const held: Extension[] = []
    for (const extension of this.all) {
      const refusal = extension.reserve?.(pod, nodeName)
      if (refusal === undefined) {
        held.push(extension)
        continue
      }
      for (const other of held.reverse()) other.unreserve?.(pod, nodeName)
      return `running Reserve plugin "${extension.name}": ${refusal}`
    }
    return undefined
  }

  unreserve(pod: Pod, nodeName: string): void {
    for (const extension of this.all.toReversed()) extension.unreserve?.(pod, nodeName)
  }

  /** The name of the first that wants the pod to wait in silence. */
  heldBy(pod: Pod): string | undefined {
    return this.all.find((extension) => extension.holds?.(pod) === true)?.name
  }

  refused(pod: Pod, refusedBy: ReadonlySet<string>): void {
    for (const extension of this.all) if (refusedBy.has(extension.name)) extension.refused?.(pod)
  }

  /** Undefined where nobody wants to be waited for. */
  permit(scope: Scope, pod: Pod, nodeName: string): Promise<unknown> | undefined {
    const waits = this.all.flatMap((extension) => extension.permit?.(scope, pod, nodeName) ?? [])
    return waits.length === 0 ? undefined : Promise.all(waits)
  }

  #answerPlugin({ state, refusals }: World, extension: Extension): Plugin {
    const { name } = extension
    return {
      names: [name],
      prepare: (pod) => {
        const answers = this.#answers.get(keyOf(pod))?.get(extension)
        if (answers === undefined) return undefined
        const { refused, scores } = answers
        const nameOf = (slot: number): string => state.nodes[slot]?.name ?? ''
        return {
          ...(refused === undefined
            ? {}
            : {
                filter: {
                  one: (slot) => {
                    const words = refused.get(nameOf(slot))
                    return words === undefined ? 0 : refusals.code(name, words, true)
                  },
                },
              }),
          ...(scores === undefined
            ? {}
            : {
                scores: [
                  {
                    plugin: name,
                    fill: (slots, totals) =>
                      slots.forEach((slot, index) => (totals[index] = scores.get(nameOf(slot)) ?? 0)),
                  },
                ],
              }),
        }
      },
    }
  }
}
