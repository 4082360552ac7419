/** Completion scripts for shells, out of the command table. They complete `pdata COMMAND` and commands that are called by their own names. */

import { COMMON_OPTIONS, type CommandSpec, type OptionSpec } from './command.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

export const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

/** The script for a shell. */
export function completionScript(shell: Shell, commands: readonly CommandSpec[]): string {
  return { bash, zsh, fish }[shell](commands);
}

function shownOptions(command: CommandSpec): OptionSpec[] {
  return [...command.options, ...COMMON_OPTIONS].filter(({ hidden }) => !hidden);
}

function spellings({ long, short }: OptionSpec): string[] {
  return short === undefined ? [`--${long}`] : [`--${long}`, `-${short}`];
}

function takesValue({ value, optionalValue }: OptionSpec): boolean {
  return value !== undefined && !optionalValue;
}

/** A name without a space: `pool_create`. */
function joined({ name }: CommandSpec): string {
  return name.replace(' ', '_');
}

/** Names of one word, and the first words of the others. */
function firstWords(commands: readonly CommandSpec[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0]!))];
}

/** The second words of names of two, by the first. */
function groupsOf(commands: readonly CommandSpec[]): Map<string, CommandSpec[]> {
  const groups = new Map<string, CommandSpec[]>();
  for (const command of commands) {
    const [first, second] = command.name.split(' ');
    if (second !== undefined) groups.set(first!, [...(groups.get(first!) ?? []), command]);
  }
  return groups;
}

const secondWord = ({ name }: CommandSpec): string => name.split(' ')[1]!;
const isOneWord = ({ name }: CommandSpec): boolean => !name.includes(' ');

function bash(commands: readonly CommandSpec[]): string {
  const cases = commands.map((command) => {
    const key = joined(command);
    const words = shownOptions(command).flatMap(spellings).join(' ');
    const choices = shownOptions(command).flatMap((option) =>
      option.choices === undefined
        ? []
        : [`${key}:${spellings(option).join(`|${key}:`)}) words="${option.choices.join(' ')}" ;;`],
    );
    return { words: `    ${key}) words="${words}" ;; # ${command.name}`, choices };
  });
  const groups = [...groupsOf(commands)].map(
    ([first, members]) => `      ${first}) words="${members.map(secondWord).join(' ')}" ;;`,
  );
  return `# bash completion for pdata. Load it with: source <(pdata completion bash)
_pdata() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" words="" command
  command="\${COMP_WORDS[0]##*/}"
  if [[ $command == pdata ]]; then
    if ((COMP_CWORD == 1)); then
      COMPREPLY=($(compgen -W "${firstWords(commands).join(' ')}" -- "$current"))
      return
    fi
    command="\${COMP_WORDS[1]}"
    case "$command" in
${groups.join('\n')}
    esac
    if [[ -n $words ]]; then
      if ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
      fi
      command="\${command}_\${COMP_WORDS[2]}"
      words=""
    fi
  fi
  case "$command:$previous" in
${cases.flatMap(({ choices }) => choices.map((line) => `    ${line}`)).join('\n')}
  esac
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  if [[ $current != -* ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  case "$command" in
${cases.map(({ words }) => words).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _pdata pdata ${commands
    .filter(isOneWord)
    .map(({ name }) => name)
    .join(' ')}
`;
}

/** Quotes for zsh and fish; both know single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function zsh(commands: readonly CommandSpec[]): string {
  const bracketSafe = (text: string): string => text.replace(/[[\]:]/g, (character) => `\\${character}`);
  const functions = commands.map((command) => {
    const specs = shownOptions(command).flatMap((option) => {
      const action = option.choices === undefined ? '_files' : `(${option.choices.join(' ')})`;
      const argument = takesValue(option) ? `:${bracketSafe(option.value ?? '')}:${action}` : '';
      return spellings(option).map((name) =>
        quoted(`${option.multiple ? '*' : ''}${name}[${bracketSafe(option.help)}]${argument}`),
      );
    });
    const operands = command.operands.map(({ name }) => quoted(`:${name}:_files`));
    return `# ${command.name}\n_pdata_${joined(command)}() {\n  _arguments \\\n    ${[...specs, ...operands].join(' \\\n    ')}\n}`;
  });
  const list = firstWords(commands).map((first) => {
    const about = commands.find(({ name }) => name === first)?.about ?? `commands for a ${first}`;
    return `    ${quoted(`${first}:${bracketSafe(about)}`)}`;
  });
  const groups = [...groupsOf(commands)].map(([first, members]) => {
    const lines = members.map((member) => quoted(`${secondWord(member)}:${bracketSafe(member.about)}`));
    return `    ${first}) commands=(${lines.join(' ')}) ;;`;
  });
  return `#compdef pdata ${commands
    .filter(isOneWord)
    .map(({ name }) => name)
    .join(' ')}
# zsh completion for pdata. Put it into a folder of $fpath as _pdata.
${functions.join('\n')}
_pdata() {
  if [[ $service != pdata ]]; then
    _pdata_$service
    return
  fi
  if ((CURRENT == 2)); then
    local -a commands=(
${list.join('\n')}
    )
    _describe command commands
    return
  fi
  local command=$words[2]
  local -a commands=()
  case $command in
${groups.join('\n')}
  esac
  if (($#commands)); then
    if ((CURRENT == 3)); then
      _describe command commands
      return
    fi
    command="\${command}_$words[3]"
    shift words
    ((CURRENT--))
  fi
  shift words
  ((CURRENT--))
  (($+functions[_pdata_$command])) && _pdata_$command
}
_pdata "$@"
`;
}

function fish(commands: readonly CommandSpec[]): string {
  const lines = ['# fish completion for pdata. Put it into ~/.config/fish/completions/pdata.fish'];
  for (const first of firstWords(commands)) {
    const about = commands.find(({ name }) => name === first)?.about ?? `commands for a ${first}`;
    lines.push(`complete -c pdata -n __fish_use_subcommand -f -a ${first} -d ${quoted(about)}`);
  }
  for (const [first, members] of groupsOf(commands)) {
    const others = members.map(secondWord).join(' ');
    const when = `'__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${others}'`;
    for (const member of members) {
      lines.push(`complete -c pdata -n ${when} -f -a ${secondWord(member)} -d ${quoted(member.about)}`);
    }
  }
  for (const command of commands) {
    lines.push(`# ${command.name}`);
    const seen = command.name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const targets = [`-c pdata -n '${seen.join('; and ')}'`, ...(isOneWord(command) ? [`-c ${command.name}`] : [])];
    for (const target of targets) {
      for (const option of shownOptions(command)) {
        const parts = [`complete ${target} -l ${option.long}`];
        if (option.short !== undefined) parts.push(`-s ${option.short}`);
        if (takesValue(option)) parts.push('-r');
        if (option.choices !== undefined) parts.push(`-f -a ${quoted(option.choices.join(' '))}`);
        parts.push(`-d ${quoted(option.help)}`);
        lines.push(parts.join(' '));
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
