"""Where the content of a message came from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    op.add_column("message", sa.Column("source", sa.Text(), server_default="", nullable=False))
