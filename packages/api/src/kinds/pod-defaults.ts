// What upstream fills into pods, and into the pod templates of workloads.

import type { Draft } from '@aksel/base/draft'
import type { Container, EphemeralContainer, Pod, PodSpec, Probe, Volume } from '../types/core-v1.ts'

type AnyContainer = Draft<Container> | Draft<EphemeralContainer>

/** Defaults that pods and templates share. */
export function setPodSpecDefaults(spec: Draft<PodSpec>): void {
  spec.restartPolicy ??= 'Always'
  spec.terminationGracePeriodSeconds ??= 30
  spec.dnsPolicy ??= 'ClusterFirst'
  spec.securityContext ??= {}
  spec.schedulerName ??= 'default-scheduler'
  if (spec.serviceAccountName !== undefined) spec.serviceAccount ??= spec.serviceAccountName
  else if (spec.serviceAccount !== undefined) spec.serviceAccountName = spec.serviceAccount
  for (const container of allContainers(spec)) setContainerDefaults(container)
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume)
}

/** Defaults of pods alone: templates keep what their author wrote. */
export function setPodDefaults(pod: Draft<Pod>): void {
  const { spec } = pod
  setPodSpecDefaults(spec)
  spec.enableServiceLinks ??= true
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const { resources } = container
    if (resources?.limits !== undefined) resources.requests = { ...resources.limits, ...resources.requests }
    for (const port of spec.hostNetwork === true ? (container.ports ?? []) : []) port.hostPort ??= port.containerPort
  }
}

function allContainers(spec: Draft<PodSpec>): readonly AnyContainer[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]
}

function setContainerDefaults(container: AnyContainer): void {
  container.terminationMessagePath ??= '/dev/termination-log'
  container.terminationMessagePolicy ??= 'File'
  container.imagePullPolicy ??= pullPolicyOf(container.image ?? '')
  for (const port of container.ports ?? []) port.protocol ??= 'TCP'
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) valueFrom.fieldRef.apiVersion ??= 'v1'
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe !== undefined) setProbeDefaults(probe)
  }
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    setHttpDefaults(handler?.httpGet)
}

function setProbeDefaults(probe: Draft<Probe>): void {
  probe.timeoutSeconds ??= 1
  probe.periodSeconds ??= 10
  probe.successThreshold ??= 1
  probe.failureThreshold ??= 3
  setHttpDefaults(probe.httpGet)
  if (probe.grpc !== undefined) probe.grpc.service ??= ''
}

function setHttpDefaults(httpGet: Draft<Probe>['httpGet']): void {
  if (httpGet === undefined) return
  if (httpGet.path === undefined || httpGet.path === '') httpGet.path = '/'
  if (httpGet.scheme === undefined || httpGet.scheme === '') httpGet.scheme = 'HTTP'
}

/** `latest`, or no tag at all, may change behind its name. */
function pullPolicyOf(image: string): string {
  if (image.includes('@')) return 'IfNotPresent'
  const tag = /:([^/:]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function setVolumeDefaults(volume: Draft<Volume>): void {
  const { name: _name, ...sources } = volume
  if (Object.keys(sources).length === 0) volume.emptyDir = {}
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected]) {
    if (source !== undefined) source.defaultMode ??= 0o644
  }
  for (const item of volume.downwardAPI?.items ?? []) if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1'
  for (const projection of volume.projected?.sources ?? []) {
    if (projection.serviceAccountToken !== undefined) projection.serviceAccountToken.expirationSeconds ??= 3600
    for (const item of projection.downwardAPI?.items ?? [])
      if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1'
  }
  if (volume.hostPath !== undefined) volume.hostPath.type ??= ''
  if (volume.image !== undefined) volume.image.pullPolicy ??= pullPolicyOf(volume.image.reference ?? '')
  if (volume.iscsi !== undefined) volume.iscsi.iscsiInterface ??= 'default'
  if (volume.azureDisk !== undefined) {
    volume.azureDisk.cachingMode ??= 'ReadWrite'
    volume.azureDisk.fsType ??= 'ext4'
    volume.azureDisk.readOnly ??= false
    volume.azureDisk.kind ??= 'Shared'
  }
  const claim = volume.ephemeral?.volumeClaimTemplate
  if (claim !== undefined) claim.spec.volumeMode ??= 'Filesystem'
}
