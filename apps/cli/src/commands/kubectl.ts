// `aksel kubectl` and `aksel helm`: the bundled programs with the current cluster's kubeconfig.

import { spawn } from 'node:child_process'
import { CommandError } from '../command-error.ts'
import { currentFile, readJsonFile, type CurrentFile } from '../files.ts'
import { kubernetesTool, type KubernetesTool } from '@aksel/host/kubernetes-tools'
import type { CliOptions } from '../options.ts'

export const runKubectl = (options: CliOptions, args: readonly string[]): Promise<number> =>
  runTool(options, 'kubectl', args)

export const runHelm = (options: CliOptions, args: readonly string[]): Promise<number> => runTool(options, 'helm', args)

async function runTool(options: CliOptions, tool: KubernetesTool, args: readonly string[]): Promise<number> {
  const program = await kubernetesTool(options.repositoryRoot, tool)
  const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
  const ownConfig = args.some((arg) => arg === '--kubeconfig' || arg.startsWith('--kubeconfig='))
  if (current === undefined && !ownConfig && options.environment['KUBECONFIG'] === undefined && needsCluster(args)) {
    throw new CommandError('There is no current cluster. Run "./aksel up" first, or "./aksel az aks get-credentials".')
  }
  const environment = {
    ...options.environment,
    ...(current === undefined || ownConfig ? {} : { KUBECONFIG: current.kubeconfig }),
  }
  return runInTerminal(program, args, environment)
}

function needsCluster(args: readonly string[]): boolean {
  const command = args.find((arg) => !arg.startsWith('-'))
  return command !== undefined && !['completion', 'help', 'kustomize', 'config', 'options'].includes(command)
}

/** Runs a program on this terminal, hands signals on, and returns its exit code. */
function runInTerminal(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: 'inherit', env: environment })
    // The terminal sends Ctrl-C to the whole foreground group: the child decides, we stay until it is gone.
    const ignore = (): void => {}
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
    process.on('SIGINT', ignore)
    process.on('SIGTERM', forward)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      process.off('SIGINT', ignore)
      process.off('SIGTERM', forward)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}
