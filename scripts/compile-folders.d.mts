export interface Compiled {
  readonly folder: string;
  remove(): void;
}

/** Compiles source folders for a plain node process into a folder of their own. */
export function compileFolders(names: readonly string[]): Promise<Compiled>;
