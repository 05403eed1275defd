// Containers at their limits and nodes at theirs, as the metrics API has it.

import { quantityMilli, quantityUnits } from '@aksel/base/quantity'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { podRef, refOf, type Picture } from '../picture.ts'
import { wantedPods } from '../pod-facts.ts'
import { counted } from '../words.ts'

/** Of its limit. The kernel throttles in periods of 100 ms, so that an average a little below it is throttled already. */
const CPU_AT_LIMIT = 0.9
const MEMORY_NEAR_LIMIT = 0.9
const NODE_BUSY = 0.9

export function loadedContainers(picture: Picture): readonly Found[] {
  const byPod = new Map(
    picture.podMetrics.map((metrics) => [`${metrics.metadata?.namespace}/${metrics.metadata?.name}`, metrics]),
  )
  return wantedPods(picture).flatMap((pod) => {
    const subject = podRef(pod)
    const metrics = byPod.get(`${subject.namespace}/${subject.name}`)
    return (metrics?.containers ?? []).flatMap(({ name, usage }): readonly Found[] => {
      const limits = pod.spec.containers?.find((container) => container.name === name)?.resources?.limits
      const top = `kubectl top pod ${subject.name} --containers${inNamespace(subject)}`
      const found: Found[] = []
      const { cpu, memory } = usage ?? {}
      if (
        cpu !== undefined &&
        limits?.['cpu'] !== undefined &&
        quantityMilli(cpu) >= CPU_AT_LIMIT * quantityMilli(limits['cpu'])
      )
        found.push({
          id: 'performance/cpu-throttled',
          subject,
          symptom: `Container "${name}" is slow: it uses all the CPU that it may.`,
          cause: `Its limit of ${limits['cpu']} CPU is reached, and the kernel makes it wait.`,
          evidence: [{ subject, line: `metrics: cpu ${cpu} of limit ${limits['cpu']}` }],
          fix: 'Raise or drop resources.limits.cpu, or add replicas.',
          commands: [top],
          confidence: 'likely',
        })
      if (
        memory !== undefined &&
        limits?.['memory'] !== undefined &&
        quantityUnits(memory) >= MEMORY_NEAR_LIMIT * quantityUnits(limits['memory'])
      )
        found.push({
          id: 'performance/memory-near-limit',
          subject,
          symptom: `Container "${name}" is about to be killed for its memory.`,
          cause: `It uses ${memory} of the ${limits['memory']} that it may.`,
          evidence: [{ subject, line: `metrics: memory ${memory} of limit ${limits['memory']}` }],
          fix: 'Raise resources.limits.memory, or find out why it grows.',
          commands: [top],
          confidence: 'likely',
        })
      return found
    })
  })
}

/** A node without CPU to spare, and who takes more there than was asked for. */
export function noisyNeighbours(picture: Picture): readonly Found[] {
  return picture.nodeMetrics.flatMap((metrics): readonly Found[] => {
    const node = picture.nodes.find(({ metadata }) => metadata.name === metrics.metadata?.name)
    const all = node?.status?.allocatable?.['cpu']
    const used = metrics.usage?.['cpu']
    if (node === undefined || all === undefined || used === undefined) return []
    if (quantityMilli(used) < NODE_BUSY * quantityMilli(all)) return []
    const noisy = picture.podMetrics
      .flatMap((each) => {
        const pod = picture.pods.find(
          ({ metadata }) => metadata.name === each.metadata?.name && metadata.namespace === each.metadata?.namespace,
        )
        if (pod?.spec.nodeName !== node.metadata.name) return []
        const usedMilli = (each.containers ?? []).reduce(
          (sum, { usage }) => sum + quantityMilli(usage?.['cpu'] ?? '0'),
          0,
        )
        const wanted = (pod.spec.containers ?? []).reduce(
          (sum, { resources }) => sum + quantityMilli(resources?.requests?.['cpu'] ?? '0'),
          0,
        )
        return usedMilli > wanted ? [{ pod, usedMilli, wanted }] : []
      })
      .toSorted((left, right) => right.usedMilli - right.wanted - (left.usedMilli - left.wanted))
    const [worst] = noisy
    if (worst === undefined) return []
    const subject = podRef(worst.pod)
    const onNode = refOf('Node', node)
    return [
      {
        id: 'performance/noisy-neighbour',
        subject,
        symptom: `Everything on node "${onNode.name}" is slow: it has no CPU to spare.`,
        cause: `The pod uses ${worst.usedMilli}m of CPU and has asked for ${worst.wanted}m; ${counted(noisy.length - 1, 'other')} on the node takes more than it asked for.`,
        evidence: [{ subject: onNode, line: `metrics: cpu ${used} of ${all}` }],
        fix: 'Give it a CPU limit or an honest request, so that it is placed where there is room.',
        commands: ['kubectl top pods -A --sort-by=cpu', describeCommand(onNode)],
        confidence: 'likely',
      },
    ]
  })
}
