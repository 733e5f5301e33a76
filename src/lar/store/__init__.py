"""The database: schema, migrations, one module per aggregate. All SQL of Lar is in this room."""
