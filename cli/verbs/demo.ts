import { UsageError } from '../../config/errors.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { openStage, StoryFailed, type Stage } from '../demo/stage.js';
import { playInteractive } from '../demo/interactive.js';
import { STORIES, type Story } from '../demo/stories.js';
import { EXIT, type ExitCode } from '../explain.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface DemoOptions {
  readonly interactive?: boolean;
  readonly story?: string;
}

interface Told {
  readonly story: string;
  readonly title: string;
  readonly seconds: number;
  readonly asTold: boolean;
  readonly lines: readonly string[];
  readonly fault?: string;
}

/** `demo`: the stories of the README on a stack of its own. */
export const registerDemo: Register = (verbs) => {
  verbs
    .add(
      'demo',
      TEMPORAL_VERBS.demo,
      'countersign demo\ncountersign demo --story a,d\ncountersign demo --interactive',
    )
    .option('--interactive', 'you approve from the keyboard, once')
    .option('--story <letters>', `only some: ${STORIES.map(({ letter }) => letter).join(', ')}`)
    .action(verbs.run(demo));
};

async function demo(context: Context, options: DemoOptions): Promise<ExitCode> {
  const stories = chosen(options.story);
  const began = performance.now();
  const stage = await openStage(context);
  try {
    context.tell(
      `Ready after ${seconds(began)} s: Temporal, PostgreSQL, the sandbox and three workers, each a process.`,
    );
    if (options.interactive === true) return await playInteractive(context, stage);
    const told: Told[] = [];
    for (const story of stories) {
      context.io.interrupted.throwIfAborted();
      told.push(await tellStory(context, stage, story));
    }
    const wrong = told.filter(({ asTold }) => !asTold);
    context.print({ stories: told, asTold: wrong.length === 0 }, [
      '',
      wrong.length === 0
        ? context.style.good(`All ${told.length} stories ended as told, in ${seconds(began)} s.`)
        : context.style.bad(`Not as told: ${wrong.map(({ story }) => `(${story})`).join(' ')}`),
    ]);
    return wrong.length === 0 ? EXIT.done : EXIT.otherwise;
  } finally {
    await stage.close();
  }
}

function chosen(letters: string | undefined): readonly Story[] {
  if (letters === undefined) return STORIES;
  return letters.split(',').map((letter) => {
    const story = STORIES.find((one) => one.letter === letter.trim());
    if (story !== undefined) return story;
    throw new UsageError({
      what: `--story ${JSON.stringify(letters.slice(0, 60))} names no story`,
      remedy: `Name some of ${STORIES.map((one) => one.letter).join(', ')}, separated by commas`,
    });
  });
}

const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

async function tellStory(context: Context, stage: Stage, story: Story): Promise<Told> {
  const { style } = context;
  const lines: string[] = [];
  const began = performance.now();
  const out = (line: string): void => {
    if (!context.json) context.io.out(`${line}\n`);
  };
  out(`\n${style.bold(`(${story.letter}) ${story.title}`)}`);
  let fault: string | undefined;
  try {
    await story.play(stage, (line) => {
      lines.push(line);
      out(`    ${line}`);
    });
  } catch (error) {
    if (!(error instanceof StoryFailed)) throw error;
    fault = error.message;
    out(`    ${style.bad(`NOT AS TOLD: ${fault}`)}`);
  }
  const took = Number(seconds(began));
  out(style.dim(`    ${fault === undefined ? 'as told' : 'failed'}, ${took} s`));
  return {
    story: story.letter,
    title: story.title,
    seconds: took,
    asTold: fault === undefined,
    lines,
    ...(fault === undefined ? {} : { fault }),
  };
}
