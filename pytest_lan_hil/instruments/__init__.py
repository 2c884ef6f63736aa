"""What measures: one module per instrument behind two small protocols."""
