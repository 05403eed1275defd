// Sizes of virtual machines: what a name promises in processors and memory. Generated from the families' rules.

export interface VmSize {
  readonly name: string
  readonly vcpus: number
  readonly memoryBytes: number
  /** Absent: none. */
  readonly gpus?: number
}

const GIB = 1024 ** 3

interface Family {
  /** `#` stands for the number of processors. */
  readonly pattern: string
  readonly vcpus: readonly number[]
  readonly memoryGibPerVcpu: number
}

const general = [2, 4, 8, 16, 32, 48, 64, 96]

const families: readonly Family[] = [
  ...['D#_v3', 'D#s_v3', 'D#_v4', 'D#s_v4', 'D#a_v4', 'D#as_v4', 'D#d_v4', 'D#ds_v4'].map((pattern) => ({
    pattern,
    vcpus: [2, 4, 8, 16, 32, 48, 64],
    memoryGibPerVcpu: 4,
  })),
  ...['D#_v5', 'D#s_v5', 'D#d_v5', 'D#ds_v5', 'D#as_v5', 'D#ads_v5', 'D#s_v6', 'D#ds_v6', 'D#as_v6', 'D#ads_v6'].map(
    (pattern) => ({ pattern, vcpus: general, memoryGibPerVcpu: 4 }),
  ),
  ...['D#ps_v5', 'D#pds_v5', 'D#ps_v6', 'D#pds_v6'].map((pattern) => ({
    pattern,
    vcpus: [2, 4, 8, 16, 32, 48, 64],
    memoryGibPerVcpu: 4,
  })),
  ...['D#ls_v5', 'D#lds_v5', 'D#als_v6', 'D#alds_v6', 'D#ls_v6'].map((pattern) => ({
    pattern,
    vcpus: general,
    memoryGibPerVcpu: 2,
  })),
  ...['E#_v3', 'E#s_v3', 'E#_v4', 'E#s_v4', 'E#ds_v4', 'E#as_v4'].map((pattern) => ({
    pattern,
    vcpus: [2, 4, 8, 16, 20, 32, 48],
    memoryGibPerVcpu: 8,
  })),
  ...['E#_v5', 'E#s_v5', 'E#d_v5', 'E#ds_v5', 'E#as_v5', 'E#ads_v5', 'E#s_v6', 'E#ds_v6', 'E#as_v6'].map((pattern) => ({
    pattern,
    vcpus: [2, 4, 8, 16, 20, 32, 48, 64],
    memoryGibPerVcpu: 8,
  })),
  { pattern: 'F#s_v2', vcpus: [2, 4, 8, 16, 32, 48, 64, 72], memoryGibPerVcpu: 2 },
  ...['F#as_v6', 'F#s_v6'].map((pattern) => ({ pattern, vcpus: [2, 4, 8, 16, 32, 48, 64], memoryGibPerVcpu: 4 })),
  { pattern: 'F#', vcpus: [1, 2, 4, 8, 16], memoryGibPerVcpu: 2 },
  { pattern: 'F#s', vcpus: [1, 2, 4, 8, 16], memoryGibPerVcpu: 2 },
  { pattern: 'L#s_v3', vcpus: [8, 16, 32, 48, 64, 80], memoryGibPerVcpu: 8 },
  { pattern: 'L#as_v3', vcpus: [8, 16, 32, 48, 64, 80], memoryGibPerVcpu: 8 },
]

/** Sizes whose numbers follow no rule: vcpus, memory in GiB. */
const singles: Readonly<Record<string, readonly [number, number]>> = {
  Standard_A2_v2: [2, 4],
  Standard_A4_v2: [4, 8],
  Standard_A8_v2: [8, 16],
  Standard_A2m_v2: [2, 16],
  Standard_A4m_v2: [4, 32],
  Standard_B1ms: [1, 2],
  Standard_B2s: [2, 4],
  Standard_B2ms: [2, 8],
  Standard_B4ms: [4, 16],
  Standard_B8ms: [8, 32],
  Standard_B2s_v2: [2, 8],
  Standard_B4s_v2: [4, 16],
  Standard_B8s_v2: [8, 32],
  Standard_B2as_v2: [2, 8],
  Standard_B4as_v2: [4, 16],
  Standard_D1_v2: [1, 3.5],
  Standard_D2_v2: [2, 7],
  Standard_D3_v2: [4, 14],
  Standard_D4_v2: [8, 28],
  Standard_D5_v2: [16, 56],
  Standard_DS1_v2: [1, 3.5],
  Standard_DS2_v2: [2, 7],
  Standard_DS3_v2: [4, 14],
  Standard_DS4_v2: [8, 28],
  Standard_DS5_v2: [16, 56],
  Standard_D11_v2: [2, 14],
  Standard_D12_v2: [4, 28],
  Standard_D13_v2: [8, 56],
  Standard_DS11_v2: [2, 14],
  Standard_DS12_v2: [4, 28],
  Standard_DS13_v2: [8, 56],
  Standard_DS14_v2: [16, 112],
  Standard_M32ts: [32, 192],
  Standard_M64s: [64, 1024],
}

/** With NVIDIA's GPUs: vcpus, memory in GiB, GPUs. */
const gpuSizes: Readonly<Record<string, readonly [number, number, number]>> = {
  Standard_NC6s_v3: [6, 112, 1],
  Standard_NC12s_v3: [12, 224, 2],
  Standard_NC24s_v3: [24, 448, 4],
  Standard_NC4as_T4_v3: [4, 28, 1],
  Standard_NC8as_T4_v3: [8, 56, 1],
  Standard_NC16as_T4_v3: [16, 110, 1],
  Standard_NC64as_T4_v3: [64, 440, 4],
  Standard_NC24ads_A100_v4: [24, 220, 1],
  Standard_NC48ads_A100_v4: [48, 440, 2],
  Standard_NC96ads_A100_v4: [96, 880, 4],
  Standard_NC40ads_H100_v5: [40, 320, 1],
  Standard_NC80adis_H100_v5: [80, 640, 2],
  Standard_ND96asr_v4: [96, 900, 8],
  Standard_ND96isr_H100_v5: [96, 1900, 8],
  Standard_NV36ads_A10_v5: [36, 440, 1],
}

export const defaultVmSize = 'Standard_D2s_v5'

export const vmSizes: readonly VmSize[] = [
  ...families.flatMap(({ pattern, vcpus, memoryGibPerVcpu }) =>
    vcpus.map((count) => ({
      name: `Standard_${pattern.replace('#', String(count))}`,
      vcpus: count,
      memoryBytes: count * memoryGibPerVcpu * GIB,
    })),
  ),
  ...Object.entries(gpuSizes).map(([name, [vcpus, gib, gpus]]) => ({ name, vcpus, memoryBytes: gib * GIB, gpus })),
  ...Object.entries(singles).map(([name, [vcpus, gib]]) => ({ name, vcpus, memoryBytes: gib * GIB })),
]

const byName: ReadonlyMap<string, VmSize> = new Map(vmSizes.map((size) => [size.name.toLowerCase(), size]))

/** Names compare without regard to case. */
export function findVmSize(name: string): VmSize | undefined {
  return byName.get(name.toLowerCase())
}

/** Burstable sizes may not carry system pools. */
export function isBurstable(name: string): boolean {
  return /^standard_b/i.test(name)
}
