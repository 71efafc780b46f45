//! Claims, table by table.
