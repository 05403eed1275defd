// `az aks get-credentials`: a cluster's kubeconfig, merged into the user's.

import { Option, type Command } from 'commander'
import { rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { currentFile, readJsonFile, type CurrentFile } from '../files.ts'
import { clusterPath, named, type ClusterFlags } from './cluster-path.ts'
import { AzError } from './az-error.ts'
import { addLeaf } from './command.ts'
import { mergeKubeconfig, NameTaken, readKubeconfig, writeKubeconfig } from './kubeconfig-merge.ts'
import type { Session } from './session.ts'

interface CredentialFlags extends ClusterFlags {
  readonly admin?: boolean
  readonly file?: string
  readonly format?: string
  readonly publicFqdn?: boolean
  readonly overwriteExisting?: boolean
  readonly context?: string
}

export function addCredentials(aks: Command, session: Session): void {
  addLeaf<CredentialFlags>(aks, session, 'get-credentials', {
    description: 'Get access credentials for a managed Kubernetes cluster.',
    flags: (command) =>
      named(command)
        .option('-a, --admin', 'get the cluster administrator credentials')
        .option('-f, --file <path>', 'kubeconfig file to merge into; "-" prints instead')
        .addOption(
          new Option('--format <format>', 'of the user credentials of clusters with Entra').choices(['azure', 'exec']),
        )
        .option('--public-fqdn', 'of a private cluster: by its public name')
        .option('--overwrite-existing', 'replace entries of the same name')
        .option('--context <name>', 'name of the context instead of the default one'),
    run: (_, flags) => getCredentials(session, flags),
  })
}

/** What points at a deleted cluster would only say that nobody answers there. */
export function forgetCurrent({ options }: Session, cluster: ClusterFlags): void {
  const path = currentFile(options.dataDir)
  const current = readJsonFile<CurrentFile>(path)
  const same = (left: string, right: string): boolean => left.toLowerCase() === right.toLowerCase()
  if (current === undefined) return
  if (same(current.resourceGroup, cluster.resourceGroup) && same(current.cluster, cluster.name)) rmSync(path)
}

async function getCredentials(session: Session, flags: CredentialFlags): Promise<undefined> {
  const action = flags.admin === true ? 'listClusterAdminCredential' : 'listClusterUserCredential'
  const query = new URLSearchParams()
  if (flags.format !== undefined && flags.admin !== true) query.set('format', flags.format)
  if (flags.publicFqdn === true) query.set('server-fqdn', 'public')
  const path = `${clusterPath(session, flags)}/${action}${query.size === 0 ? '' : `?${query.toString()}`}`
  const { body } = await session
    .arm()
    .send<{ readonly kubeconfigs: readonly { readonly value: string }[] }>({ method: 'POST', path })
  const first = body.kubeconfigs[0]
  if (first === undefined) throw new AzError('No Kubernetes credentials found.')
  const addition = Buffer.from(first.value, 'base64').toString()
  if (flags.file === '-') {
    session.terminal.out(addition)
    return undefined
  }
  const file = resolve(flags.file ?? join(session.homeDirectory, '.kube', 'config'))
  const { text, context } = await merge(session, flags, { existing: readKubeconfig(file), addition })
  writeKubeconfig(file, text)
  const current: CurrentFile = { resourceGroup: flags.resourceGroup, cluster: flags.name, kubeconfig: file }
  writeFileSync(currentFile(session.options.dataDir), `${JSON.stringify(current)}\n`, { mode: 0o600 })
  session.terminal.error(`Merged "${context}" as current context in ${file}\n`)
  return undefined
}

/** Where somebody is at the terminal, a name that is taken is a question. */
async function merge(
  session: Session,
  flags: CredentialFlags,
  texts: { readonly existing: string; readonly addition: string },
): Promise<{ readonly text: string; readonly context: string }> {
  const request = { ...texts, ...(flags.context === undefined ? {} : { context: flags.context }) }
  try {
    return await mergeKubeconfig({ ...request, overwrite: flags.overwriteExisting === true })
  } catch (error) {
    if (!(error instanceof NameTaken) || !session.terminal.interactive) throw error
    const answer = await session.terminal.ask(
      `A different object named ${error.taken} already exists in your kubeconfig file.\nOverwrite? (y/n): `,
    )
    if (!/^y(es)?$/i.test(answer.trim())) throw error
    return mergeKubeconfig({ ...request, overwrite: true })
  }
}
