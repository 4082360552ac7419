/** What `npm start` shows: a tour of the library. */
process.stdout.write('The tour is not written yet.\n');
