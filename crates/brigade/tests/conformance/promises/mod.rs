//! What Brigade promises beyond `concurrent.futures`, in figures.
