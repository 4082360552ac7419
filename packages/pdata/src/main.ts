/** The program's entry: finds the command by name and runs it. */
process.stderr.write('pdata: no commands yet\n');
process.exitCode = 1;
