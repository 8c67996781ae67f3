"""How fast pymdc is, beside others that do the same work in the same run.  Linux only: it reads /proc."""
