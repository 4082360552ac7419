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

function bash(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name);
  const cases = commands.map((command) => {
    const words = shownOptions(command).flatMap(spellings).join(' ');
    const choices = shownOptions(command).flatMap((option) =>
      option.choices === undefined
        ? []
        : [`${command.name}:${spellings(option).join(`|${command.name}:`)}) words="${option.choices.join(' ')}" ;;`],
    );
    return { words: `    ${command.name}) words="${words}" ;;`, choices };
  });
  return `# bash completion for pdata. Load it with: source <(pdata completion bash)
_pdata() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" words="" command
  command="\${COMP_WORDS[0]##*/}"
  if [[ $command == pdata ]]; then
    if ((COMP_CWORD == 1)); then
      COMPREPLY=($(compgen -W "${names.join(' ')}" -- "$current"))
      return
    fi
    command="\${COMP_WORDS[1]}"
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
complete -o filenames -F _pdata pdata ${names.join(' ')}
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
    return `_pdata_${command.name}() {\n  _arguments \\\n    ${[...specs, ...operands].join(' \\\n    ')}\n}`;
  });
  const list = commands.map(({ name, about }) => `    ${quoted(`${name}:${bracketSafe(about)}`)}`);
  return `#compdef pdata ${commands.map(({ name }) => name).join(' ')}
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
  shift words
  ((CURRENT--))
  (($+functions[_pdata_$command])) && _pdata_$command
}
_pdata "$@"
`;
}

function fish(commands: readonly CommandSpec[]): string {
  const lines = ['# fish completion for pdata. Put it into ~/.config/fish/completions/pdata.fish'];
  for (const { name, about } of commands) {
    lines.push(`complete -c pdata -n __fish_use_subcommand -f -a ${name} -d ${quoted(about)}`);
  }
  for (const command of commands) {
    for (const target of [`-c pdata -n '__fish_seen_subcommand_from ${command.name}'`, `-c ${command.name}`]) {
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
