//! What a zone may hold, in master-file text.
