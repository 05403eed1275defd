// Objects that several chapters of the tour make, all in a namespace of its own.

import type { Step } from './step.ts'

export const busybox = 'docker.io/library/busybox:1.36'

export function yaml(...lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

export function webDeployment(name: string, more: readonly string[] = []): string {
  return yaml(
    'apiVersion: apps/v1',
    'kind: Deployment',
    `metadata: {name: ${name}, namespace: tour}`,
    'spec:',
    '  replicas: 2',
    `  selector: {matchLabels: {app: ${name}}}`,
    '  template:',
    `    metadata: {labels: {app: ${name}}}`,
    '    spec:',
    '      terminationGracePeriodSeconds: 1',
    '      containers:',
    '      - name: web',
    `        image: ${busybox}`,
    '        command: [sh, -c, "mkdir -p /www && echo hello from $HOSTNAME > /www/index.html && exec httpd -f -p 8080 -h /www"]',
    '        ports: [{containerPort: 8080}]',
    '        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}',
    ...more,
  )
}

export function guest(name: string, role: string): string {
  return yaml(
    'apiVersion: v1',
    'kind: Pod',
    `metadata: {name: ${name}, namespace: tour, labels: {role: ${role}}}`,
    'spec:',
    '  terminationGracePeriodSeconds: 1',
    `  containers: [{name: main, image: ${busybox}, command: [sleep, infinity]}]`,
  )
}

const namespace = yaml('apiVersion: v1', 'kind: Namespace', 'metadata: {name: tour}')
export const inNamespace: Step = {
  say: 'Everything of the tour lives in a namespace of its own.',
  run: 'kubectl apply -f -',
  input: namespace,
  shows: /namespace\/tour/,
}
