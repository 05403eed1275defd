// Nodes that are not well.

import type { Node } from '@aksel/api/types/core-v1'
import { describeCommand, type Found } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'

const pressures: Readonly<Record<string, { readonly cause: string; readonly fix: string }>> = {
  MemoryPressure: {
    cause: 'It has too little memory left and evicts pods.',
    fix: 'Give pods honest memory requests, or add nodes.',
  },
  DiskPressure: {
    cause: 'Its disk is nearly full: it evicts pods and removes images.',
    fix: 'Take away what fills it (logs, emptyDir, images), or use machines with larger disks.',
  },
  PIDPressure: { cause: 'It has too few process numbers left.', fix: 'Find the pod that starts so many processes.' },
  NetworkUnavailable: {
    cause: 'Its network is not set up.',
    fix: 'Look at the route of the node and at the network plug-in.',
  },
}

export function nodes(picture: Picture): readonly Found[] {
  return picture.nodes.flatMap(findingsOf)
}

function findingsOf(node: Node): readonly Found[] {
  const subject = refOf('Node', node)
  return (node.status?.conditions ?? []).flatMap(({ type, status, reason = '', message = '' }): readonly Found[] => {
    const evidence = [{ subject, line: `${type}=${status}, ${reason}: ${message}` }]
    const commands = [describeCommand(subject), `aksel machine list`]
    if (type === 'Ready' && status !== 'True') {
      const isSilent = status === 'Unknown'
      return [
        {
          id: isSilent ? 'nodes/silent' : 'nodes/not-ready',
          subject,
          symptom: 'The node is NotReady: its pods are moved away.',
          cause: isSilent
            ? 'Its agent has not been heard for longer than the grace period: the machine is down, cut off or overloaded.'
            : `Its agent says: ${message}`,
          evidence,
          fix: isSilent ? 'Look at the machine; boot it, or replace it.' : 'Do as its message says.',
          commands,
          confidence: isSilent ? 'likely' : 'certain',
        },
      ]
    }
    const pressure = pressures[type]
    if (pressure === undefined || status !== 'True') return []
    return [
      {
        id: `nodes/${type.replaceAll(/(?!^)([A-Z][a-z])/g, '-$1').toLowerCase()}`,
        subject,
        symptom: `The node reports ${type}.`,
        ...pressure,
        evidence,
        commands,
        confidence: 'certain',
      },
    ]
  })
}
