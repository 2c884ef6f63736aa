"""How often the DUT names labelled recordings rightly: dataset, evaluation, its journal and its report."""
