// `aksel diagnose`: what is wrong in a cluster and what to do next, for any cluster of a kubeconfig.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { ApiError } from '@aksel/base/errors'
import { createClient } from '@aksel/client/typed-client'
import { diagnose, type Question } from '@aksel/diagnosis/diagnose'
import { families, type Family, type Finding } from '@aksel/diagnosis/finding'
import { gather } from '@aksel/diagnosis/gather'
import { judgeLogin } from '@aksel/diagnosis/login'
import type { Picture } from '@aksel/diagnosis/picture'
import { renderFindings } from '@aksel/diagnosis/render'
import { parseSubject } from '@aksel/diagnosis/subjects'
import type { AskArm } from '@aksel/diagnosis/surroundings'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { ArmClient } from '../arm-client.ts'
import { CommandError } from '../command-error.ts'
import { connectionFile, currentFile, readJsonFile, type ConnectionFile, type CurrentFile } from '../files.ts'
import type { CliOptions } from '../options.ts'

export interface DiagnoseFlags {
  readonly cluster?: string
  readonly resourceGroup?: string
  readonly kubeconfig?: string
  readonly namespace?: string
  readonly exitCode?: boolean
  readonly output?: string
}

/** What `--exit-code` ends with where something was found. */
const FOUND = 3
const DEFAULT_GROUP = 'aksel'
/** Between two readings of the API server's metrics. */
const LOAD_MS = 1_000

/** Returns the exit code. Throws a CommandError where the question or the cluster cannot be understood. */
export async function runDiagnose(
  options: CliOptions,
  what: string | undefined,
  flags: DiagnoseFlags,
): Promise<number> {
  const question = questionOf(what, flags.namespace ?? 'default')
  const place = placeOf(options, flags)
  const access = await parseKubeconfig(await kubeconfigOf(place, flags))
  const { findings, unread } = await look(access, question, { namespace: flags.namespace, place })
  process.stdout.write(
    flags.output === 'json'
      ? `${JSON.stringify({ findings, unread: Object.fromEntries(unread) }, null, 2)}\n`
      : renderFindings(findings, unread),
  )
  return flags.exitCode === true && findings.length > 0 ? FOUND : 0
}

async function look(
  access: ClusterAccess,
  question: Question,
  { namespace, place }: { readonly namespace: string | undefined; readonly place: Place | undefined },
): Promise<{ readonly findings: readonly Finding[]; readonly unread: Picture['unread'] }> {
  const nowMs = Date.now()
  const certificateEndMs = access.certPem === undefined ? undefined : certificateEnd(access.certPem)
  const login = {
    user: access.token === undefined ? 'the client certificate' : 'the token',
    nowMs,
    ...(certificateEndMs === undefined ? {} : { certificateEndMs }),
    ...(access.token === undefined ? {} : { token: access.token }),
  }
  await using transport = createHttpsTransport(access)
  try {
    const picture = await gather(createClient(transport), {
      nowMs,
      certificateEnd,
      // An object may be explained by others of its namespace and by nodes.
      ...(namespace === undefined ? {} : { namespace }),
      ...(namespace === undefined && question.about === undefined ? { load: { waitMs: LOAD_MS, wait } } : {}),
      ...(place?.arm === undefined ? {} : { azure: { clusterId: place.clusterId, ask: asking(place.arm) } }),
    })
    const findings = [...(question.about === undefined ? judgeLogin(login) : []), ...diagnose(picture, question)]
    return { findings, unread: picture.unread }
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'Unauthorized') throw error
    return { findings: judgeLogin({ ...login, refusal: error.message }), unread: new Map() }
  }
}

function questionOf(what: string | undefined, namespace: string): Question {
  if (what === undefined) return {}
  const family = families.find((each): each is Family => each === what)
  if (family !== undefined) return { family }
  const about = parseSubject(what, namespace)
  if (about !== undefined) return { about }
  throw new CommandError(`"${what}" is neither a family (${families.join(', ')}) nor an object such as pod/web-1.`, 2)
}

/** A cluster of this server; undefined where a kubeconfig names another. */
interface Place {
  readonly clusterId: string
  /** Of the current cluster, where one is current and none is named. */
  readonly kubeconfig?: string
  readonly arm?: ArmClient
}

function placeOf(options: CliOptions, { cluster, resourceGroup, kubeconfig }: DiagnoseFlags): Place | undefined {
  if (kubeconfig !== undefined) return undefined
  const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
  const connection = readJsonFile<ConnectionFile>(connectionFile(options.dataDir))
  if (cluster === undefined && current === undefined)
    throw new CommandError('There is no current cluster. Run "./aksel up" first, or give --kubeconfig FILE.')
  if (cluster !== undefined && connection === undefined)
    throw new CommandError('No server runs here. Run "./aksel up" first, or give --kubeconfig FILE.')
  const group = resourceGroup ?? current?.resourceGroup ?? DEFAULT_GROUP
  const name = cluster ?? current!.cluster
  return {
    clusterId: `/subscriptions/${connection?.subscriptionId}/resourceGroups/${group}/providers/Microsoft.ContainerService/managedClusters/${name}`,
    ...(cluster === undefined ? { kubeconfig: current!.kubeconfig } : {}),
    ...(connection === undefined ? {} : { arm: new ArmClient(connection) }),
  }
}

function asking(arm: ArmClient): AskArm {
  return async (call) => {
    const answer = await arm.send(call)
    // Network Watcher's questions may take a while on Azure.
    await arm.wait(answer)
    return answer.body
  }
}

async function kubeconfigOf(place: Place | undefined, { kubeconfig }: DiagnoseFlags): Promise<string> {
  const file = kubeconfig ?? place?.kubeconfig
  if (file === undefined) {
    const { body } = await place!.arm!.send<{ readonly kubeconfigs: readonly { readonly value: string }[] }>({
      method: 'POST',
      path: `${place!.clusterId}/listClusterUserCredential`,
    })
    return Buffer.from(body.kubeconfigs[0]!.value, 'base64').toString()
  }
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new CommandError(`Cannot read ${file}: ${(error as Error).message}`)
  }
}

function certificateEnd(pem: string): number | undefined {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch {
    return undefined
  }
}
