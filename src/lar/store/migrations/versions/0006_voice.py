"""Whether answers are spoken in a conversation."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    op.add_column("conversation", sa.Column("voice", sa.Boolean(), nullable=True))
