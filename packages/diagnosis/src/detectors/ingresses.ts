// Ingresses that name what is not there.

import type { Ingress, IngressBackend } from '@aksel/api/types/networking-v1'
import { inNamespace, type Found } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'
import { didYouMean, listed } from '../words.ts'

const IS_DEFAULT = 'ingressclass.kubernetes.io/is-default-class'
const OLD_CLASS = 'kubernetes.io/ingress.class'

export function ingresses(picture: Picture): readonly Found[] {
  return picture.ingresses.flatMap((ingress) => [
    ...classMistakes(picture, ingress),
    ...backendsOf(ingress).flatMap((backend) => backendMistakes(picture, ingress, backend)),
    ...secretMistakes(picture, ingress),
  ])
}

function mistake(
  ingress: Ingress,
  id: string,
  what: Pick<Found, 'cause' | 'fix'> & { readonly line: string; readonly command: string },
): Found {
  const subject = refOf('Ingress', ingress)
  return {
    id: `network/${id}`,
    subject,
    symptom: 'The ingress does not serve what it should.',
    cause: what.cause,
    evidence: [{ subject, line: what.line }],
    fix: what.fix,
    commands: [what.command],
    confidence: 'certain',
  }
}

function classMistakes({ ingressClasses, unread }: Picture, ingress: Ingress): readonly Found[] {
  if (unread.has('ingressClasses')) return []
  const known = ingressClasses.map(({ metadata }) => metadata.name)
  const named = ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.[OLD_CLASS]
  const command = 'kubectl get ingressclasses'
  if (named === undefined) {
    if (ingressClasses.some(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === 'true')) return []
    const cause = 'It names no ingress class, and none is the default: no controller minds it.'
    return [
      mistake(ingress, 'ingress-without-class', {
        cause,
        fix: `Set spec.ingressClassName${known.length === 0 ? '' : `: ${listed(known)}`}.`,
        line: 'spec.ingressClassName: (none)',
        command,
      }),
    ]
  }
  if (known.includes(named)) return []
  return [
    mistake(ingress, 'ingress-class-missing', {
      cause: `Its class "${named}" does not exist: no controller minds it.${didYouMean(named, known)}`,
      fix:
        known.length === 0
          ? 'Switch on application routing: az aks approuting enable.'
          : `Use one of ${listed(known)}.`,
      line: `spec.ingressClassName: ${named}`,
      command,
    }),
  ]
}

function backendsOf({ spec }: Ingress): readonly IngressBackend[] {
  const paths = (spec?.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend))
  return spec?.defaultBackend === undefined ? paths : [spec.defaultBackend, ...paths]
}

function backendMistakes(picture: Picture, ingress: Ingress, { service }: IngressBackend): readonly Found[] {
  if (service === undefined || picture.unread.has('services')) return []
  const { namespace } = ingress.metadata
  const here = picture.services.filter(({ metadata }) => metadata.namespace === namespace)
  const found = here.find(({ metadata }) => metadata.name === service.name)
  const command = `kubectl get services${inNamespace({ namespace: namespace ?? '' })}`
  const line = `backend: ${service.name}:${service.port?.name ?? service.port?.number ?? ''}`
  if (found === undefined) {
    const known = here.map(({ metadata }) => metadata.name)
    const cause = `Its service "${service.name}" does not exist.${didYouMean(service.name, known)}`
    return [
      mistake(ingress, 'ingress-service-missing', {
        cause,
        fix: 'Create the service, or correct its name.',
        line,
        command,
      }),
    ]
  }
  const { port } = service
  const ports = found.spec?.ports ?? []
  if (
    port === undefined ||
    ports.some(({ name, port: number }) => (port.name === undefined ? number === port.number : name === port.name))
  )
    return []
  const offered = ports.map(({ name, port: number }) => (name === undefined ? String(number) : `${number} (${name})`))
  const cause = `Service "${service.name}" has no port ${port.name ?? port.number}; it has ${listed(offered)}.`
  return [mistake(ingress, 'ingress-port-missing', { cause, fix: 'Correct the port of the backend.', line, command })]
}

function secretMistakes({ secrets, unread }: Picture, ingress: Ingress): readonly Found[] {
  if (unread.has('secrets')) return []
  const { namespace = '' } = ingress.metadata
  return (ingress.spec?.tls ?? []).flatMap(({ secretName }) => {
    if (
      secretName === undefined ||
      secrets.some(({ metadata }) => metadata.namespace === namespace && metadata.name === secretName)
    )
      return []
    return [
      mistake(ingress, 'ingress-secret-missing', {
        cause: `The secret "${secretName}" with its certificate does not exist.`,
        fix: `Create it: kubectl create secret tls ${secretName} --cert=… --key=…${inNamespace({ namespace })}.`,
        line: `spec.tls: ${secretName}`,
        command: `kubectl get secrets${inNamespace({ namespace })}`,
      }),
    ]
  })
}
