"""One run from lease to publication: who calls whom, and cleaning up in every case."""
