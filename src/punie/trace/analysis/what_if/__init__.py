"""What would make the queries faster, and by how much: predicted from their own traces."""
