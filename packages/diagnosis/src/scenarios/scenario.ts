// Faults that are really caused, and what is to be found. docs/coverage/diagnosis.md is made of them.

import type { Family } from '../finding.ts'

export interface Scenario {
  readonly name: string
  /** `family/cause`. */
  readonly finds: `${Family}/${string}`
  /** Of the object that is told: `Pod/web`, or only its kind. */
  readonly about: string
  readonly cause: RegExp
  /** Whatever makes the fault; the namespace is set where a kind has one. */
  objects(namespace: string): readonly object[]
  /** Commands of kubectl afterwards. */
  readonly afterwards?: (namespace: string) => readonly (readonly string[])[]
}

export const busybox = 'docker.io/library/busybox:1.36'
export const tools = 'docker.io/library/network-tools:1'

type Spec = Readonly<Record<string, unknown>>

export function shell(script: string, more: Spec = {}): Spec {
  return { name: 'main', image: busybox, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script], ...more }
}

export const idle = shell('sleep infinity')

export function pod(name: string, container: Spec, spec: Spec = {}, metadata: Spec = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { containers: [container], terminationGracePeriodSeconds: 1, ...spec },
  }
}

export function deployment(name: string, replicas: number, container: Spec, spec: Spec = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [container], terminationGracePeriodSeconds: 1, ...spec },
      },
    },
  }
}

export function service(name: string, selector: Spec, port: Spec = { port: 80 }): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector, ports: [port] } }
}

export function job(name: string, container: Spec): object {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers: [container] } } },
  }
}
